/* One object on its way into a pack: which base, which parameters, block after block, its record. */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>
#include <xxhash.h>

enum {
	SAMPLE_BLOCKS = 4,    /* the samples lie in at most so many blocks: a base is decoded by blocks */
	NO_BASE_BELOW = 256,  /* bytes: the base's id alone costs 32 */
};

struct target *target_new(struct target **live, const struct vv_source *src, uint64_t off, uint64_t len,
	enum vv_dtype dtype, const struct vv_id *id)
{
	size_t n = (size_t)vv_div_up(len, vv_block_bytes(dtype));
	struct target *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->src = src;
	t->src_off = off;
	t->e.id = *id;
	t->e.size = len;
	t->e.dtype = (uint8_t)dtype;
	t->dead = 255;
	t->n_rows = n;
	t->params.dtype = dtype;
	/* Most tensors of a model with many are one block. */
	t->rows = n <= 1 ? t->one_row : malloc(n * BLOCK_ROW);
	t->sums = n <= 1 ? &t->one_sum : malloc(n * sizeof(*t->sums));
	t->live_next = *live;
	t->live_link = live;
	if (*live)
		(*live)->live_link = &t->live_next;
	*live = t;
	if (t->rows && t->sums)
		return t;
	target_free(t);
	return NULL;
}

void target_free(struct target *t)
{
	if (!t)
		return;
	*t->live_link = t->live_next;
	if (t->live_next)
		t->live_next->live_link = t->live_link;
	object_free(t->base);
	if (t->sums != &t->one_sum)
		free(t->sums);
	if (t->rows != t->one_row)
		free(t->rows);
	free(t);
}

void target_sum(struct target *t, size_t k, struct vv_span raw)
{
	enum vv_dtype dt = (enum vv_dtype)t->e.dtype;

	t->sums[k] = XXH64(raw.ptr, raw.len, 0);
	if (dt != VV_DT_BYTES && t->dead) {
		unsigned dead = vv_block_dead_bits(dt, raw);
		t->dead = dead < t->dead ? dead : t->dead;
	}
}

/* Stretches of the object, and of the same places in a base. */
struct samples {
	const uint8_t *raw[SAMPLES], *base[SAMPLES];
	uint64_t off[SAMPLES];
	size_t len[SAMPLES], n;
};

/* With room behind each for up to four times as much of a base. */
static int take_samples(struct samples *s, const struct target *t, uint8_t *mem, struct vv_err *err)
{
	size_t width = vv_dtype_width((enum vv_dtype)t->e.dtype), bytes = SAMPLE_ELEMS * width;
	size_t room = bytes + (width < 4 ? 4 * SAMPLE_ELEMS : bytes);
	size_t block = vv_block_bytes((enum vv_dtype)t->e.dtype);
	uint64_t blocks = t->n_rows < SAMPLE_BLOCKS ? t->n_rows : SAMPLE_BLOCKS;
	size_t per = SAMPLES / (size_t)blocks;

	s->n = 0;
	for (uint64_t b = 0; b < blocks; b++) {
		uint64_t k = blocks == 1 ? 0 : b * (t->n_rows - 1) / (blocks - 1), at = k * block;
		uint64_t end = vv_min64(at + block, t->e.size);
		for (size_t i = 0; i < per && at < end; i++) {
			uint64_t off = k * block + (end - k * block) / width * i / per * width;
			size_t len = (size_t)vv_min64(bytes, end - off) / width * width;
			uint8_t *to = mem + s->n * room;
			if (off < at || !len)
				continue;
			if (vv_source_read(t->src, t->src_off + off, to, len, err))
				return err->code;
			s->raw[s->n] = to;
			s->base[s->n] = to + bytes;
			s->off[s->n] = off;
			s->len[s->n++] = len;
			at = off + len;
		}
	}
	return 0;
}

static int sample_base(struct samples *s, const struct object *o, const struct entry *e,
	const struct vv_codec_params *p, struct scratch *scratch, struct vv_err *err)
{
	size_t block = vv_block_bytes((enum vv_dtype)e->dtype), have = SIZE_MAX;

	for (size_t i = 0; i < s->n; i++) {
		size_t k = (size_t)(s->off[i] / block);
		if (k != have && base_block(o, e, p, k, scratch->held, scratch, 0, err))
			return err->code;
		have = k;
		memcpy((uint8_t *)(uintptr_t)s->base[i], scratch->held + base_room(p, (size_t)(s->off[i] % block)),
			base_room(p, s->len[i]));
	}
	return 0;
}

static uint64_t cost(struct scratch *scratch, const struct vv_codec_params *p, const struct samples *s, bool delta)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < s->n; i++)
		sum += vv_codec_cost(scratch->codec, p, vv_span(s->raw[i], s->len[i]), delta ? s->base[i] : NULL);
	return sum;
}

/* What the chain begins with, without the rest of it. */
static struct object *root_of(struct object *o)
{
	struct object *last = o, *root;

	while (last->base && last->base->base)
		last = last->base;
	root = last->base;
	last->base = NULL;
	object_free(o);
	return root;
}

/* The candidate, or at the end of a chain its root; NULL: none that can serve. */
static int open_base(struct object **out, struct vv_store *s, const struct target *t, struct vv_codec_params *p,
	struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct object *o = NULL;
	int ret = object_open(&o, s, &t->base_id, &why);

	*out = NULL;
	if (ret == VV_ENOMEM)
		return vv_fail_nomem(err);
	/* A base that is damaged or lies elsewhere is no base; the object itself is safe without. */
	if (!ret && o->e.depth >= MAX_DEPTH - (t->item && t->item->is_base))
		o = o->base ? root_of(o) : o;
	if (ret || !base_serves(&o->e, &t->e, p) || o->store != s) {
		object_free(o);
		return 0;
	}
	*out = o;
	return 0;
}

int target_plan(struct vv_store *s, struct target *t, struct scratch *scratch, struct vv_err *err)
{
	struct vv_codec_params solo = t->params, delta = t->params, how = t->params;
	struct samples samples = {0};
	struct object *base = NULL;
	int ret;

	if (t->e.kind == KIND_CHUNKS || t->e.dtype == VV_DT_BYTES || !t->n_rows)
		return 0;
	ret = take_samples(&samples, t, scratch->samples, err);
	if (ret)
		goto out;
	vv_codec_plan(scratch->codec, &solo, (enum vv_dtype)t->e.dtype, samples.raw, NULL, samples.len, samples.n);
	if (solo.shift > t->dead)
		solo.shift = (uint8_t)t->dead;
	t->params = solo;
	if (t->has_base && t->e.size >= NO_BASE_BELOW)
		ret = open_base(&base, s, t, &how, err);
	if (ret || !base)
		goto out;
	struct vv_err why = VV_ERR_INIT;
	if (sample_base(&samples, base, &t->e, &how, scratch, &why))
		goto out; /* damaged: no base */
	vv_codec_plan(scratch->codec, &delta, (enum vv_dtype)t->e.dtype, samples.raw, samples.base, samples.len, samples.n);
	delta.qcast = how.qcast;
	delta.from = how.from;
	if (delta.shift > t->dead)
		delta.shift = (uint8_t)t->dead;
	/* A cast may fill bits that its original left zero. */
	unsigned spare = base->e.dtype == t->e.dtype ? base->params.shift : 0;
	if (delta.shift > spare)
		delta.shift = (uint8_t)spare;
	uint64_t a = cost(scratch, &solo, &samples, false), d = cost(scratch, &delta, &samples, true);
	/* An anchor, far from its root, must gain more than a delta against the last version. */
	bool anchor = !vv_id_eq(&base->e.id, &t->base_id);
	if (anchor ? d * 10 < a * 9 : d * 100 < a * 97) {
		t->params = delta;
		t->e.depth = (uint8_t)(base->e.depth + 1);
		t->e.base = base->e.id;
		t->base = base;
		base = NULL;
	}
out:
	object_free(base);
	return ret;
}

int target_encode(struct coded *c, struct scratch *scratch, struct vv_err *err)
{
	struct target *t = c->target;
	size_t block = vv_block_bytes((enum vv_dtype)t->e.dtype);
	uint64_t off = (uint64_t)c->k * block, sum;
	size_t len = (size_t)vv_min64(block, t->e.size - off);
	int ret;

	/* A list of chunks and an empty object are their tail alone. */
	if (t->e.kind == KIND_CHUNKS || !t->n_rows)
		return 0;
	ret = vv_source_read(t->src, t->src_off + off, scratch->raw, len, err);

	if (ret)
		return ret;
	sum = XXH64(scratch->raw, len, 0);
	if (sum != t->sums[c->k])
		return vv_fail(err, VV_ECHANGED, "the file changed while it was read (offset %" PRIu64 ")", t->src_off + off);
	if (t->base && (ret = base_block(t->base, &t->e, &t->params, c->k, scratch->held, scratch, 0, err)))
		return ret;
	c->len = vv_block_encode(
		scratch->codec, &t->params, scratch->coded, vv_span(scratch->raw, len), t->base ? scratch->held : NULL);
	c->bytes = malloc(c->len ? c->len : 1);
	if (!c->bytes)
		return vv_fail_nomem(err);
	memcpy(c->bytes, scratch->coded, c->len);
	vv_put32(t->rows + c->k * BLOCK_ROW, (uint32_t)c->len);
	vv_put64(t->rows + c->k * BLOCK_ROW + 4, sum);
	return 0;
}

/* The end of a record, and its entry. */
static int finish(struct pack_writer *w, struct target *t, struct vv_err *err)
{
	struct vv_buf tail = VV_BUF_INIT(UINT32_MAX);
	int ret;

	tail_emit(&tail, &t->e, w->at - t->e.off, &t->params, t->rows, t->n_rows);
	ret = tail.failed == VV_ELIMIT
		? vv_fail(err, VV_ELIMIT, "an object of %" PRIu64 " bytes has too many blocks", t->e.size)
		: vv_buf_check(&tail, err);
	if (!ret)
		ret = writer_bytes(w, vv_buf_view(&tail), err);
	if (!ret)
		ret = writer_entry(w, &t->e, err);
	if (t->item)
		t->item->stored += t->e.stored;
	vv_buf_release(&tail);
	return ret;
}

int target_append(struct pack_writer *w, struct coded *c, bool *done, struct vv_err *err)
{
	struct target *t = c->target;
	int ret = 0;

	*done = false;
	if (!t->written) {
		ret = writer_begin(w, err);
		t->e.off = w->at;
	}
	if (!ret && c->bytes)
		ret = writer_bytes(w, vv_span(c->bytes, c->len), err);
	t->written++;
	if (!ret && (t->e.kind == KIND_CHUNKS || t->written >= t->n_rows)) {
		*done = true;
		ret = finish(w, t, err);
	}
	return ret;
}

/* Reads all of it: sums, and whether it is what the id says. */
static int sum_all(struct target *t, struct scratch *s, struct vv_err *err)
{
	size_t block = vv_block_bytes((enum vv_dtype)t->e.dtype);
	struct vv_sha256 sha = {NULL};
	struct vv_id id;
	int ret = vv_sha256_init(&sha, err);

	for (size_t k = 0; !ret && k < t->n_rows; k++) {
		uint64_t off = (uint64_t)k * block;
		size_t len = (size_t)vv_min64(block, t->e.size - off);
		ret = vv_source_read(t->src, off, s->raw, len, err);
		if (ret)
			break;
		vv_sha256_update(&sha, vv_span(s->raw, len));
		target_sum(t, k, vv_span(s->raw, len));
	}
	if (!ret) {
		vv_sha256_final(&sha, &id);
		if (!vv_id_eq(&id, &t->e.id))
			ret = vv_fail(err, VV_ECORRUPT, "its bytes have another SHA-256");
	}
	vv_sha256_release(&sha);
	return ret;
}

int encode_again(struct pack_writer *w, const struct vv_source *src, const struct entry *e, const struct vv_id *base,
	struct scratch *scratch, struct vv_err *err)
{
	struct target *live = NULL, *t = target_new(&live, src, 0, e->size, (enum vv_dtype)e->dtype, &e->id);
	bool done = false;
	int ret = 0;

	if (!t)
		return vv_fail_nomem(err);
	t->has_base = base != NULL;
	if (base)
		t->base_id = *base;
	ret = sum_all(t, scratch, err);
	if (!ret)
		ret = target_plan(w->store, t, scratch, err);
	for (size_t k = 0; !ret && !done; k++) {
		struct coded c = {t, k, 0, NULL};
		ret = target_encode(&c, scratch, err);
		if (!ret)
			ret = target_append(w, &c, &done, err);
		free(c.bytes);
	}
	target_free(t);
	return ret;
}
