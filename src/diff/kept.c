#include "diff/kept.h"

#include "base/check.h"
#include "base/cursor.h"
#include "hash/sha256.h"

#include <math.h>
#include <stdlib.h>

static const char magic[16] = "varve stats 1\n";
enum {
	HEAD = 16 + VV_ID_BYTES + 8,
	COUNTS = 9,
	NUMBERS = 11,
	ROW = 2 * VV_ID_BYTES + 8 + (COUNTS + NUMBERS) * 8,
	TAIL = VV_ID_BYTES,
};

/* --- the key --- */

void vv_kept_side(struct vv_buf *out, const struct vv_manifest_seg *s, const struct vv_view *v)
{
	vv_buf_add(out, s->id.b, VV_ID_BYTES);
	vv_buf_le(out, s->seg.dtype, 1);
	vv_buf_le(out, s->seg.coding, 1);
	vv_buf_le(out, s->seg.skip, 8);
	vv_buf_le(out, v->offset, 8);
	vv_buf_le(out, v->ndim, 4);
	vv_buf_le(out, v->stride != NULL, 1);
	for (unsigned i = 0; i < v->ndim; i++) {
		vv_buf_le(out, v->shape[i], 8);
		if (v->stride)
			vv_buf_le(out, v->stride[i], 8);
	}
}

int vv_kept_init(struct vv_kept *k, struct vv_diff *d, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_kept r = {0};
	int ret;

	r.rows = calloc(d->n ? d->n : 1, sizeof(*r.rows));
	vv_buf_add(&text, magic, sizeof(magic));
	for (size_t i = 0; i < d->n && r.rows; i++) {
		struct vv_diff_item *it = &d->items[i];

		it->row = SIZE_MAX;
		if (!vv_diff_measurable(it))
			continue;
		it->row = r.n;
		r.rows[r.n++] = (struct vv_kept_row){.a = it->seg_a->id, .b = it->seg_b->id};
		vv_kept_side(&text, it->seg_a, it->view_a);
		vv_kept_side(&text, it->seg_b, it->view_b);
	}
	ret = r.rows ? vv_buf_check(&text, err) : vv_fail_nomem(err);
	if (!ret) {
		vv_sha256(vv_buf_view(&text), &r.key);
		*k = r;
	} else {
		free(r.rows);
	}
	vv_buf_release(&text);
	return ret;
}

void vv_kept_release(struct vv_kept *k)
{
	free(k->rows);
	*k = (struct vv_kept){.n = 0};
}

/* --- bytes --- */

static void put_double(struct vv_buf *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	vv_buf_le(out, bits, 8);
}

void vv_kept_emit(const struct vv_kept *k, struct vv_buf *out)
{
	struct vv_id sum;

	vv_buf_add(out, magic, sizeof(magic));
	vv_buf_add(out, k->key.b, VV_ID_BYTES);
	vv_buf_le(out, k->n, 8);
	for (size_t i = 0; i < k->n; i++) {
		const struct vv_kept_row *r = &k->rows[i];
		const struct vv_delta *d = &r->delta;
		const uint64_t counts[COUNTS] = {d->numel, d->changed, d->nan_a, d->nan_b, d->inf_a, d->inf_b, d->zero_a, d->zero_b,
			d->flips};
		const double numbers[NUMBERS] = {d->norm_a, d->norm_b, d->norm_delta, d->relative, d->cosine, d->max_abs, d->mean_a,
			d->mean_b, d->std_a, d->std_b, d->rank};

		vv_buf_add(out, r->a.b, VV_ID_BYTES);
		vv_buf_add(out, r->b.b, VV_ID_BYTES);
		vv_buf_le(out, r->flags, 8);
		for (int c = 0; c < COUNTS; c++)
			vv_buf_le(out, counts[c], 8);
		for (int c = 0; c < NUMBERS; c++)
			put_double(out, numbers[c]);
	}
	if (out->failed)
		return;
	vv_sha256(vv_buf_view(out), &sum);
	vv_buf_add(out, sum.b, VV_ID_BYTES);
}

/* The rows of a whole file: *rows at the first of *n. */
static int open_bytes(struct vv_span bytes, struct vv_id *key, const uint8_t **rows, size_t *n, struct vv_err *err)
{
	struct vv_id sum;
	uint64_t count;

	if (bytes.len < HEAD + TAIL || memcmp(bytes.ptr, magic, sizeof(magic)))
		return vv_fail(err, VV_EFORMAT, "kept numbers: not a file of this version");
	count = vv_get64(bytes.ptr + HEAD - 8);
	if (count > VV_KEPT_MAX_ROWS || bytes.len != HEAD + TAIL + count * ROW)
		return vv_fail(err, VV_EFORMAT, "kept numbers: %zu bytes do not hold what they say", bytes.len);
	vv_sha256(vv_span(bytes.ptr, bytes.len - TAIL), &sum);
	if (memcmp(sum.b, bytes.ptr + bytes.len - TAIL, VV_ID_BYTES))
		return vv_fail(err, VV_EFORMAT, "kept numbers: the checksum differs");
	memcpy(key->b, bytes.ptr + sizeof(magic), VV_ID_BYTES);
	*rows = bytes.ptr + HEAD;
	*n = (size_t)count;
	return 0;
}

static double number(const uint8_t **p)
{
	uint64_t bits = vv_get64(*p);
	double v;

	*p += 8;
	memcpy(&v, &bits, sizeof(v));
	return v;
}

/* False when the counts cannot be those of one tensor. */
static bool read_row(struct vv_kept_row *r, const uint8_t *p)
{
	struct vv_delta *d = &r->delta;
	uint64_t *const counts[COUNTS] = {&d->numel, &d->changed, &d->nan_a, &d->nan_b, &d->inf_a, &d->inf_b, &d->zero_a,
		&d->zero_b, &d->flips};
	double *const numbers[NUMBERS] = {&d->norm_a, &d->norm_b, &d->norm_delta, &d->relative, &d->cosine, &d->max_abs,
		&d->mean_a, &d->mean_b, &d->std_a, &d->std_b, &d->rank};
	uint64_t flags;

	memcpy(r->a.b, p, VV_ID_BYTES);
	memcpy(r->b.b, p + VV_ID_BYTES, VV_ID_BYTES);
	p += 2 * VV_ID_BYTES;
	flags = vv_get64(p);
	p += 8;
	for (int c = 0; c < COUNTS; c++, p += 8) {
		*counts[c] = vv_get64(p);
		if (*counts[c] > d->numel)
			return false;
	}
	for (int c = 0; c < NUMBERS; c++)
		*numbers[c] = number(&p);
	r->flags = (unsigned)(flags & (VV_KEPT_TRIED | VV_KEPT_NUMBERS));
	return flags == r->flags && (!(flags & VV_KEPT_NUMBERS) || flags & VV_KEPT_TRIED);
}

int vv_kept_load(struct vv_kept *k, struct vv_span bytes, struct vv_err *err)
{
	struct vv_kept_row *rows;
	const uint8_t *p;
	struct vv_id key;
	size_t n;
	int ret = open_bytes(bytes, &key, &p, &n, err);

	if (!ret && (n != k->n || !vv_id_eq(&key, &k->key)))
		ret = vv_fail(err, VV_EFORMAT, "kept numbers: of other tensors");
	if (ret)
		return ret;
	rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < n && !ret; i++)
		if (!read_row(&rows[i], p + i * ROW) || !vv_id_eq(&rows[i].a, &k->rows[i].a) || !vv_id_eq(&rows[i].b, &k->rows[i].b))
			ret = vv_fail(err, VV_EFORMAT, "kept numbers: row %zu cannot be", i);
	if (!ret) {
		struct vv_kept_row *was = k->rows;
		k->rows = rows;
		rows = was;
	}
	free(rows);
	return ret;
}

int vv_kept_each_id(struct vv_span bytes, int (*fn)(void *arg, const struct vv_id *id, struct vv_err *err),
	void *arg, struct vv_err *err)
{
	const uint8_t *p;
	struct vv_id id;
	size_t n;
	int ret = open_bytes(bytes, &id, &p, &n, err);

	for (size_t i = 0; !ret && i < 2 * n; i++) {
		memcpy(id.b, p + i / 2 * ROW + i % 2 * VV_ID_BYTES, VV_ID_BYTES);
		ret = fn(arg, &id, err);
	}
	return ret;
}

/* --- to and from a diff --- */

void vv_kept_apply(const struct vv_kept *k, struct vv_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		struct vv_diff_item *it = &d->items[i];

		if (it->row >= k->n || !(k->rows[it->row].flags & VV_KEPT_NUMBERS))
			continue;
		it->delta = k->rows[it->row].delta;
		/* What is kept must not show: a large matrix that --exact gave a rank has none without it. */
		if (it->delta.numel > VV_RANK_SMALL)
			it->delta.rank = NAN;
		it->measured = true;
	}
}

bool vv_kept_lacks(const struct vv_kept *k, const struct vv_diff *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].row < k->n && !d->items[i].measured && !(k->rows[d->items[i].row].flags & VV_KEPT_TRIED))
			return true;
	return false;
}

void vv_kept_take(struct vv_kept *k, const struct vv_diff *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct vv_diff_item *it = &d->items[i];

		if (it->row >= k->n || it->delta.estimated)
			continue;
		k->rows[it->row].flags = VV_KEPT_TRIED | (it->measured ? VV_KEPT_NUMBERS : 0);
		if (it->measured)
			k->rows[it->row].delta = it->delta;
	}
}
