#include "model/cast_pick.h"

#include "base/arena.h"
#include "base/le.h"
#include "base/map.h"
#include "codec/narrow.h"

enum { ELEMS = 32, WIDTH = 2 }; /* every narrower type has two bytes */

/* Number of elements, type, some of them: what an original's cast and its copy have in common. */
struct key {
	uint8_t b[8 + 1 + ELEMS * WIDTH];
};

/* Few numbers, or all the same ones, are no evidence. */
static bool is_telling(const uint8_t *p)
{
	for (size_t i = 1; i < ELEMS; i++)
		if (memcmp(p, p + i * WIDTH, WIDTH))
			return true;
	return false;
}

/* *yes: the segment has a key as one of type `to`. */
static int make_key(const struct vv_source *src, const struct vv_segment *s, enum vv_dtype to, struct key *key,
	bool *yes, struct vv_err *err)
{
	unsigned width = vv_dtype_width(s->dtype);
	uint64_t n = s->len / width;
	uint8_t raw[ELEMS * 4];
	int ret;

	*yes = false;
	if (!s->n_views || s->coding || s->len % width || n < ELEMS)
		return 0;
	ret = vv_source_read(src, s->off + (n - ELEMS) / 2 * width, raw, (size_t)ELEMS * width, err);
	if (ret)
		return ret;
	if (s->dtype != to)
		vv_narrow(s->dtype, to, raw, ELEMS);
	vv_put64(key->b, n);
	key->b[8] = (uint8_t)to;
	memcpy(key->b + 9, raw, (size_t)ELEMS * WIDTH);
	*yes = is_telling(raw);
	return 0;
}

/* Notes the keys that the wide segments have as ones of type `to`. */
static int note(const struct vv_source *src, const struct vv_layout *l, enum vv_dtype to, struct vv_map *keys,
	struct vv_arena *arena, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < l->n_segs && !ret; i++) {
		struct key key;
		char *kept;
		bool yes;

		if (!vv_narrows(l->segs[i].dtype, to))
			continue;
		ret = make_key(src, &l->segs[i], to, &key, &yes, err);
		if (ret || !yes)
			continue;
		kept = vv_arena_copy(arena, vv_span(key.b, sizeof(key.b)));
		if (!kept || !vv_map_put(keys, vv_span(kept, sizeof(key.b)), i, NULL))
			ret = vv_fail_nomem(err);
	}
	return ret;
}

static int pick(const struct vv_source *src, const struct vv_layout *l, enum vv_dtype to, size_t *original, size_t *n,
	struct vv_err *err)
{
	struct vv_map keys = {0};
	struct vv_arena arena = {0};
	int ret = note(src, l, to, &keys, &arena, err);

	for (size_t i = 0; i < l->n_segs && !ret; i++) {
		struct key key;
		uint64_t *at;
		bool yes;

		if (l->segs[i].dtype != to)
			continue;
		ret = make_key(src, &l->segs[i], to, &key, &yes, err);
		if (!ret && yes && (at = vv_map_find(&keys, vv_span(key.b, sizeof(key.b))))) {
			original[i] = (size_t)*at;
			++*n;
		}
	}
	vv_map_release(&keys);
	vv_arena_release(&arena);
	return ret;
}

int vv_pick_casts(
	const struct vv_source *src, const struct vv_layout *l, size_t *original, size_t *n, struct vv_err *err)
{
	bool has[VV_DT_COUNT] = {false};
	int ret = 0;

	*n = 0;
	for (size_t i = 0; i < l->n_segs; i++) {
		original[i] = SIZE_MAX;
		has[l->segs[i].dtype] = true;
	}
	for (int from = 0; from < VV_DT_COUNT; from++)
		for (int to = 0; to < VV_DT_COUNT && !ret; to++)
			if (has[from] && has[to] && vv_narrows((enum vv_dtype)from, (enum vv_dtype)to))
				ret = pick(src, l, (enum vv_dtype)to, original, n, err);
	return ret;
}
