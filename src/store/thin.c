#define _GNU_SOURCE
#include "store/thin.h"

#include "base/check.h"
#include "base/le.h"
#include "store/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LAST = 4 << 10 }; /* bytes at a pack's end, asked for before it is known how long the index is */

/* --- extents --- */

int vv_extents_add(struct vv_extents *x, const struct vv_id *pack, uint64_t off, uint64_t len, struct vv_err *err)
{
	if (grow(&x->v, &x->cap, x->n + 1, sizeof(*x->v), err))
		return err->code;
	x->v[x->n++] = (struct vv_extent){*pack, off, len};
	return 0;
}

static int by_place(const void *a, const void *b)
{
	const struct vv_extent *x = a, *y = b;
	int c = vv_id_cmp(&x->pack, &y->pack);

	return c ? c : x->off < y->off ? -1 : x->off > y->off;
}

void vv_extents_join(struct vv_extents *x, uint64_t gap)
{
	size_t kept = 0;

	if (x->n)
		qsort(x->v, x->n, sizeof(*x->v), by_place);
	for (size_t i = 0; i < x->n; i++) {
		struct vv_extent *last = kept ? &x->v[kept - 1] : NULL;
		if (last && vv_id_eq(&last->pack, &x->v[i].pack) && x->v[i].off <= last->off + last->len + gap) {
			uint64_t end = x->v[i].off + x->v[i].len;
			if (end > last->off + last->len)
				last->len = end - last->off;
		} else {
			x->v[kept++] = x->v[i];
		}
	}
	x->n = kept;
}

uint64_t vv_extents_of(const struct vv_extents *x, const struct vv_id *pack)
{
	size_t lo = 0, hi = x->n;
	uint64_t sum = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (vv_id_cmp(&x->v[mid].pack, pack) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (; lo < x->n && vv_id_eq(&x->v[lo].pack, pack); lo++)
		sum += x->v[lo].len;
	return sum;
}

void vv_extents_release(struct vv_extents *x)
{
	free(x->v);
	*x = (struct vv_extents){0};
}

/* --- thin packs --- */

struct vv_thin {
	struct vv_id name;
	uint64_t size, have; /* have: from here to the end all was asked for */
	struct vv_temp temp;
	char *final;
	bool asked, lists;
};

char *vv_thin_path(const char *mirror, const struct vv_id *name)
{
	char hex[VV_ID_HEX + 1], *path;

	return asprintf(&path, "%s/packs/%s.pack", mirror, vv_id_hex(name, hex)) < 0 ? NULL : path;
}

int vv_thin_new(struct vv_thin **out, const char *mirror, const struct vv_id *name, uint64_t size, struct vv_err *err)
{
	struct vv_thin *t = calloc(1, sizeof(*t));
	char *dir = vv_join(mirror, "packs"), hex[VV_ID_HEX + 1];
	int ret = t && dir ? 0 : vv_fail_nomem(err);

	if (!ret) {
		*t = (struct vv_thin){.name = *name, .size = size, .have = size, .temp = VV_TEMP_INIT};
		t->final = vv_thin_path(mirror, name);
		ret = t->final ? 0 : vv_fail_nomem(err);
	}
	if (!ret && (size < PACK_HEAD + PACK_TRAILER || size > MAX_48))
		ret = vv_fail(err, VV_ECORRUPT, "pack %s: no pack has %" PRIu64 " bytes", vv_id_hex(name, hex), size);
	if (!ret)
		ret = vv_temp_open(&t->temp, dir, err);
	if (!ret && ftruncate(t->temp.fd, (off_t)size))
		ret = vv_fail_sys(err, errno, "%s", t->temp.path);
	free(dir);
	if (ret)
		vv_thin_free(t);
	else
		*out = t;
	return ret;
}

void vv_thin_free(struct vv_thin *t)
{
	if (!t)
		return;
	vv_temp_release(&t->temp);
	free(t->final);
	free(t);
}

/* The index, when the end of the file says that it begins before what is there. */
static int want_index(struct vv_thin *t, struct vv_extents *out, struct vv_err *err)
{
	uint8_t end[PACK_TRAILER];
	uint64_t from, last;
	char hex[VV_ID_HEX + 1];

	if (pread(t->temp.fd, end, sizeof(end), (off_t)(t->size - sizeof(end))) != (ssize_t)sizeof(end))
		return vv_fail_sys(err, errno ? errno : EIO, "%s", t->temp.path);
	from = vv_get64(end);
	if (from < PACK_HEAD || from > t->size - PACK_TRAILER)
		return vv_fail(err, VV_ECORRUPT, "pack %s: broken trailer at offset %" PRIu64, vv_id_hex(&t->name, hex),
			t->size - PACK_TRAILER);
	if (from >= t->have)
		return 0;
	last = t->have;
	t->have = from;
	return vv_extents_add(out, &t->name, from, last - from, err);
}

/* Lists of chunks: to know what an object is made of. */
static int want_lists(struct vv_thin *t, struct vv_extents *out, struct vv_err *err)
{
	struct pack *p = NULL;
	struct entry e;
	int ret = pack_open(&p, t->temp.path, &t->name, err);

	for (size_t i = 0; !ret && i < p->n; i++) {
		pack_entry(p, i, &e);
		if (e.kind == KIND_CHUNKS && e.off < t->have)
			ret = vv_extents_add(out, &t->name, e.off, e.stored, err);
	}
	t->lists = true;
	pack_free(p);
	return ret;
}

int vv_thin_wants(struct vv_thin *t, struct vv_extents *out, struct vv_err *err)
{
	uint64_t last = t->size - PACK_HEAD < LAST ? t->size - PACK_HEAD : LAST;
	size_t before = out->n;
	int ret;

	if (!t->asked) {
		t->asked = true;
		t->have = t->size - last;
		ret = vv_extents_add(out, &t->name, 0, PACK_HEAD, err);
		return ret ? ret : vv_extents_add(out, &t->name, t->size - last, last, err);
	}
	ret = want_index(t, out, err);
	return ret || out->n != before || t->lists ? ret : want_lists(t, out, err);
}

int vv_thin_write(struct vv_thin *t, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	if (off > t->size || bytes.len > t->size - off)
		return vv_fail(err, VV_ECORRUPT, "%s: more bytes than the pack has", t->final);
	return vv_pwrite_fd(t->temp.fd, bytes, off, t->temp.path, err);
}

int vv_thin_publish(struct vv_thin *t, struct vv_err *err)
{
	return vv_temp_publish(&t->temp, t->final, false, err);
}

/* Reads from a pack of this machine what a thin one wants. */
static int copy_extents(struct vv_thin *t, int fd, const char *path, const struct vv_extents *x, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < x->n && !ret; i++)
		for (uint64_t at = 0; at < x->v[i].len && !ret;) {
			size_t n = (size_t)vv_min64(PIECE, x->v[i].len - at);
			ssize_t k = pread(fd, buf, n, (off_t)(x->v[i].off + at));
			if (k < 0 && errno == EINTR)
				continue;
			ret = k <= 0 ? vv_fail_sys(err, k ? errno : EIO, "%s", path)
				     : vv_thin_write(t, x->v[i].off + at, vv_span(buf, (size_t)k), err);
			at += k > 0 ? (uint64_t)k : 0;
		}
	free(buf);
	return ret;
}

int vv_thin_copy(const char *mirror, const char *path, const struct vv_id *name, struct vv_err *err)
{
	struct vv_extents x = {0};
	struct vv_thin *t = NULL;
	struct vv_file f = {.fd = -1};
	int ret = vv_file_open(&f, path, err);

	if (!ret)
		ret = vv_thin_new(&t, mirror, name, (uint64_t)f.st.st_size, err);
	do {
		x.n = 0;
		if (!ret)
			ret = vv_thin_wants(t, &x, err);
		if (!ret)
			ret = copy_extents(t, f.fd, path, &x, err);
	} while (!ret && x.n);
	if (!ret)
		ret = vv_thin_publish(t, err);
	if (f.fd >= 0)
		vv_file_close(&f);
	vv_thin_free(t);
	vv_extents_release(&x);
	return ret;
}
