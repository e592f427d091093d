/* The sketches of many tensors: made, kept as a file, and put to use. */
#include "base/check.h"
#include "base/le.h"
#include "diff/sketch.h"
#include "hash/sha256.h"

#include <stdatomic.h>
#include <stdlib.h>

static const char magic[16] = "varve sketch 1\n";
enum {
	HEAD = 16 + 8,
	ROW = 2 * VV_ID_BYTES + 7 * 8, /* and the sums */
	TAIL = VV_ID_BYTES,
	BLOCK = 131072, /* elements: the store's own grid */
	MAX_WIDTH = 8,
};

void vv_sketches_release(struct vv_sketches *s)
{
	vv_arena_release(&s->arena);
	vv_map_release(&s->by_key);
	free(s->rows);
	*s = (struct vv_sketches){.n = 0};
}

const struct vv_sketch *vv_sketches_find(const struct vv_sketches *s, const struct vv_id *key)
{
	const uint64_t *at = vv_map_find(&s->by_key, vv_span(key->b, VV_ID_BYTES));

	return at ? &s->rows[*at] : NULL;
}

/* One whose key is there already is not added again. */
static int add(struct vv_sketches *s, const struct vv_sketch *one, struct vv_err *err)
{
	double *sums;
	struct vv_id *key;

	if (vv_sketches_find(s, &one->key))
		return 0;
	if (s->n == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 64;
		struct vv_sketch *v = realloc(s->rows, cap * sizeof(*v));

		if (!v)
			return vv_fail_nomem(err);
		s->rows = v;
		s->cap = cap;
	}
	key = vv_arena_alloc(&s->arena, sizeof(*key));
	sums = vv_arena_array(&s->arena, one->k, sizeof(*sums));
	if (!key || !sums)
		return vv_fail_nomem(err);
	*key = one->key;
	if (!vv_map_put(&s->by_key, vv_span(key->b, VV_ID_BYTES), s->n, NULL))
		return vv_fail_nomem(err);
	memcpy(sums, one->sums, one->k * sizeof(*sums));
	s->rows[s->n] = *one;
	s->rows[s->n++].sums = sums;
	return 0;
}

/* --- the tensors of a version --- */

/* Calls fn for each that is sketched. One whose size cannot be, or that is larger than what backs it, is not. */
static int each(const struct vv_manifest *m,
	int (*fn)(void *arg, const struct vv_tensor *t, const struct vv_id *key, struct vv_err *err), void *arg, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < m->n_segs && !ret; i++)
		for (size_t j = 0; j < m->segs[i].seg.n_views && !ret; j++) {
			unsigned kind = vv_dtype_info(m->segs[i].seg.dtype)->kind;
			struct vv_err ignore = VV_ERR_INIT;
			struct vv_tensor t;
			struct vv_id key;

			if ((kind != VV_KIND_UINT && kind != VV_KIND_INT && kind != VV_KIND_FLOAT) || vv_tensor_at(&t, m, i, j, &ignore) ||
				!vv_sketch_size(t.numel) || (!t.seg->seg.coding && t.len > t.seg->seg.len))
				continue;
			ret = vv_sketch_key(&key, t.seg, t.view, err);
			if (!ret)
				ret = fn(arg, &t, &key, err);
		}
	return ret;
}

static int add_key(void *arg, const struct vv_tensor *t VV_UNUSED, const struct vv_id *key, struct vv_err *err VV_UNUSED)
{
	vv_buf_add(arg, key->b, VV_ID_BYTES);
	return 0;
}

int vv_sketches_key(struct vv_id *out, size_t *n, const struct vv_manifest *m, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret;

	vv_buf_add(&text, magic, sizeof(magic));
	ret = each(m, add_key, &text, err);
	if (!ret)
		ret = vv_buf_check(&text, err);
	if (!ret) {
		vv_sha256(vv_buf_view(&text), out);
		*n = (text.len - sizeof(magic)) / VV_ID_BYTES;
	}
	vv_buf_release(&text);
	return ret;
}

struct lacking {
	const struct vv_sketches *s;
	size_t n;
};

static int count_lacking(void *arg, const struct vv_tensor *t VV_UNUSED, const struct vv_id *key, struct vv_err *err VV_UNUSED)
{
	struct lacking *k = arg;

	k->n += !vv_sketches_find(k->s, key);
	return 0;
}

int vv_sketches_lack(const struct vv_sketches *s, const struct vv_manifest *m, size_t *n, struct vv_err *err)
{
	struct lacking k = {s, 0};
	int ret = each(m, count_lacking, &k, err);

	*n = k.n;
	return ret;
}

/* --- making them --- */

struct job {
	struct vv_tensor t;
	struct vv_sketcher k;
	bool made;
};

struct maker {
	const struct vv_sketches *s;
	const struct vv_version *v;
	struct job **jobs;
	size_t n, cap;
	struct vv_map keys;
	struct scratch {
		uint8_t bytes[BLOCK * MAX_WIDTH];
		double values[BLOCK];
	} **scratch; /* one for each worker, made when it first works */
	struct vv_progress *prog;
	atomic_size_t done;
};

static int add_job(void *arg, const struct vv_tensor *t, const struct vv_id *key, struct vv_err *err)
{
	struct maker *m = arg;
	struct job *j;
	bool added;

	if (vv_sketches_find(m->s, key))
		return 0;
	if (m->n == m->cap) {
		size_t cap = m->cap ? m->cap * 2 : 64;
		struct job **v = realloc(m->jobs, cap * sizeof(struct job *));

		if (!v)
			return vv_fail_nomem(err);
		m->jobs = v;
		m->cap = cap;
	}
	j = malloc(sizeof(*j));
	if (!j)
		return vv_fail_nomem(err);
	j->t = *t;
	j->made = false;
	vv_sketcher_init(&j->k, t->numel);
	j->k.s.key = *key;
	j->k.s.object = t->seg->id;
	if (!vv_map_put(&m->keys, vv_span(j->k.s.key.b, VV_ID_BYTES), m->n, &added) || !added) {
		free(j);
		return m->keys.slots ? 0 : vv_fail_nomem(err);
	}
	m->jobs[m->n++] = j;
	return 0;
}

static int read_tensor(struct job *j, struct vv_tensor_source *src, struct scratch *s, struct vv_err *err)
{
	enum vv_dtype dt = j->t.seg->seg.dtype;
	unsigned width = vv_dtype_width(dt);
	int ret = 0;

	for (uint64_t at = 0; at < j->t.numel && !ret; at += BLOCK) {
		size_t n = (size_t)vv_min64(BLOCK, j->t.numel - at);

		ret = vv_source_read(&src->base, at * width, s->bytes, n * width, err);
		if (ret)
			break;
		vv_dtype_values(dt, s->bytes, n, s->values);
		vv_sketcher_add(&j->k, s->values, n);
	}
	return ret;
}

static int run_job(void *arg, size_t i, unsigned worker, struct vv_err *err)
{
	struct maker *m = arg;
	struct job *j = m->jobs[i];
	struct scratch *s = m->scratch[worker];
	struct vv_tensor_source src;
	int ret;

	if (!s)
		s = m->scratch[worker] = malloc(sizeof(*s));
	if (!s)
		return vv_fail_nomem(err);
	ret = vv_tensor_open(&src, m->v, &j->t, err);
	if (ret)
		return vv_err_in(err, "%s", j->t.view->name);
	ret = read_tensor(j, &src, s, err);
	vv_tensor_close(&src);
	j->made = !ret;
	if (ret == VV_EFORMAT) {
		vv_err_clear(err);
		ret = 0;
	}
	if (!worker)
		vv_progress(m->prog, "sketching", atomic_load(&m->done) + 1, m->n);
	atomic_fetch_add(&m->done, 1);
	return ret ? vv_err_in(err, "%s", j->t.view->name) : 0;
}

int vv_sketches_make(struct vv_sketches *s, const struct vv_version *v, struct vv_pool *pool, struct vv_progress *prog,
	struct vv_err *err)
{
	struct maker m = {.s = s, .v = v, .prog = prog};
	unsigned threads = vv_pool_threads(pool);
	int ret;

	m.scratch = calloc(threads, sizeof(struct scratch *));
	ret = m.scratch ? each(v->m, add_job, &m, err) : vv_fail_nomem(err);
	if (!ret)
		ret = vv_pool_run(pool, m.n, run_job, &m, err);
	for (size_t i = 0; i < m.n; i++) {
		if (!ret && m.jobs[i]->made)
			ret = add(s, &m.jobs[i]->k.s, err);
		free(m.jobs[i]);
	}
	for (unsigned i = 0; m.scratch && i < threads; i++)
		free(m.scratch[i]);
	free(m.scratch);
	free(m.jobs);
	vv_map_release(&m.keys);
	return ret;
}

/* --- bytes --- */

static void put_double(struct vv_buf *out, double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	vv_buf_le(out, bits, 8);
}

static double get_double(const uint8_t *p)
{
	uint64_t bits = vv_get64(p);
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

struct emitter {
	const struct vv_sketches *s;
	struct vv_buf *out;
	uint64_t n;
	struct vv_map keys; /* that are out already */
};

static int emit_row(void *arg, const struct vv_tensor *t VV_UNUSED, const struct vv_id *key, struct vv_err *err)
{
	struct emitter *e = arg;
	const struct vv_sketch *s = vv_sketches_find(e->s, key);
	bool added;

	if (!s)
		return 0;
	if (!vv_map_put(&e->keys, vv_span(s->key.b, VV_ID_BYTES), 0, &added))
		return vv_fail_nomem(err);
	if (!added)
		return 0;
	vv_buf_add(e->out, s->key.b, VV_ID_BYTES);
	vv_buf_add(e->out, s->object.b, VV_ID_BYTES);
	vv_buf_le(e->out, s->numel, 8);
	vv_buf_le(e->out, s->nan, 8);
	vv_buf_le(e->out, s->inf, 8);
	vv_buf_le(e->out, s->zero, 8);
	put_double(e->out, s->sum);
	put_double(e->out, s->squares);
	vv_buf_le(e->out, s->k, 8);
	for (unsigned i = 0; i < s->k; i++)
		put_double(e->out, s->sums[i]);
	e->n++;
	return 0;
}

int vv_sketches_emit(const struct vv_sketches *s, const struct vv_manifest *m, struct vv_buf *out, struct vv_err *err)
{
	struct emitter e = {.s = s, .out = out};
	size_t begin = out->len;
	struct vv_id sum;
	int ret;

	vv_buf_add(out, magic, sizeof(magic));
	vv_buf_le(out, 0, 8);
	ret = each(m, emit_row, &e, err);
	vv_map_release(&e.keys);
	if (!ret)
		ret = vv_buf_check(out, err);
	if (ret)
		return ret;
	vv_put64(out->ptr + begin + HEAD - 8, e.n);
	vv_sha256(vv_span(out->ptr + begin, out->len - begin), &sum);
	vv_buf_add(out, sum.b, VV_ID_BYTES);
	return vv_buf_check(out, err);
}

/* One row at *p, which goes on behind it; its sums lie before that. False: it cannot be, or ends too late. */
static bool take_row(const uint8_t **p, const uint8_t *end, struct vv_sketch *s)
{
	const uint8_t *r = *p;

	if (end - r < ROW)
		return false;
	memcpy(s->key.b, r, VV_ID_BYTES);
	memcpy(s->object.b, r + VV_ID_BYTES, VV_ID_BYTES);
	r += 2 * VV_ID_BYTES;
	s->numel = vv_get64(r);
	s->nan = vv_get64(r + 8);
	s->inf = vv_get64(r + 16);
	s->zero = vv_get64(r + 24);
	s->sum = get_double(r + 32);
	s->squares = get_double(r + 40);
	s->k = vv_sketch_size(s->numel);
	if (!s->k || vv_get64(r + 48) != s->k || s->nan > s->numel || s->inf > s->numel - s->nan ||
		s->zero > s->numel - s->nan - s->inf || (size_t)(end - r) < 56 + s->k * sizeof(double))
		return false;
	*p = r + 56 + s->k * sizeof(double);
	return true;
}

/* Checks the file as a whole; its rows lie from *rows to *end. */
static int check(struct vv_span bytes, const uint8_t **rows, const uint8_t **end, struct vv_err *err)
{
	struct vv_sketch s;
	struct vv_id sum;
	const uint8_t *p;
	uint64_t n;

	if (bytes.len < HEAD + TAIL || memcmp(bytes.ptr, magic, sizeof(magic)))
		return vv_fail(err, VV_EFORMAT, "sketches: not a file of this version");
	*rows = p = bytes.ptr + HEAD;
	*end = bytes.ptr + bytes.len - TAIL;
	vv_sha256(vv_span(bytes.ptr, bytes.len - TAIL), &sum);
	if (memcmp(sum.b, *end, VV_ID_BYTES))
		return vv_fail(err, VV_EFORMAT, "sketches: the checksum differs");
	n = vv_get64(bytes.ptr + HEAD - 8);
	for (uint64_t i = 0; i < n && n <= VV_SKETCH_MAX_ROWS; i++)
		if (!take_row(&p, *end, &s))
			return vv_fail(err, VV_EFORMAT, "sketches: row %zu at %zu cannot be", (size_t)i, (size_t)(p - bytes.ptr));
	if (p != *end || n > VV_SKETCH_MAX_ROWS)
		return vv_fail(err, VV_EFORMAT, "sketches: %zu bytes do not hold what they say", bytes.len);
	return 0;
}

int vv_sketches_load(struct vv_sketches *s, struct vv_span bytes, struct vv_err *err)
{
	double sums[VV_SKETCH_SUMS_MAX];
	struct vv_sketch one = {.sums = sums};
	const uint8_t *p, *end;
	int ret = check(bytes, &p, &end, err);

	while (!ret && p < end && take_row(&p, end, &one)) {
		for (unsigned i = 0; i < one.k; i++)
			sums[i] = get_double(p - (one.k - i) * sizeof(double));
		ret = add(s, &one, err);
	}
	return ret;
}

int vv_sketches_each_id(struct vv_span bytes, int (*fn)(void *arg, const struct vv_id *id, struct vv_err *err),
	void *arg, struct vv_err *err)
{
	struct vv_sketch one;
	const uint8_t *p, *end;
	int ret = check(bytes, &p, &end, err);

	while (!ret && p < end && take_row(&p, end, &one))
		ret = fn(arg, &one.object, err);
	return ret;
}

/* --- to a diff --- */

int vv_sketches_estimate(const struct vv_sketches *s, struct vv_diff *d, size_t *n, struct vv_err *err)
{
	*n = 0;
	for (size_t i = 0; i < d->n && s->n; i++) {
		struct vv_diff_item *it = &d->items[i];
		const struct vv_sketch *a, *b;
		struct vv_id key;

		if (it->measured || !vv_diff_measurable(it))
			continue;
		if (vv_sketch_key(&key, it->seg_a, it->view_a, err))
			return err->code;
		a = vv_sketches_find(s, &key);
		if (vv_sketch_key(&key, it->seg_b, it->view_b, err))
			return err->code;
		b = vv_sketches_find(s, &key);
		it->measured = a && b && vv_sketch_delta(&it->delta, a, b);
		*n += it->measured;
	}
	return 0;
}
