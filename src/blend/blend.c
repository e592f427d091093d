#include "blend/blend.h"

#include "base/check.h"
#include "blend/pass.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

enum { AHEAD = 4 }; /* blocks made at once for each thread */

const struct vv_blend_param_info vv_blend_params[VV_BP_COUNT] = {
	[VV_BP_WEIGHT] = {"weight", true, false, -INFINITY, INFINITY, 1},
	[VV_BP_DENSITY] = {"density", true, false, 0, 1, 1},
	[VV_BP_GAMMA] = {"gamma", true, false, 0, 1, 0.01},
	[VV_BP_SCALE] = {"scale", true, false, -INFINITY, INFINITY, 1},
	[VV_BP_EPSILON] = {"epsilon", true, false, 0, 1, NAN},
	[VV_BP_T] = {"t", false, false, -INFINITY, INFINITY, NAN},
	[VV_BP_LAMBDA] = {"lambda", false, false, -INFINITY, INFINITY, 1},
	[VV_BP_NORMALIZE] = {"normalize", false, true, 0, 1, NAN},
	[VV_BP_RESCALE] = {"rescale", false, true, 0, 1, NAN},
	[VV_BP_SELECT_TOPK] = {"select_topk", false, false, 0, 1, 1},
	[VV_BP_MAX_ITER] = {"max_iter", false, false, 0, 1e6, 10},
	[VV_BP_TOL] = {"tol", false, false, 0, 1, 1e-5},
	[VV_BP_EPS] = {"eps", false, false, 0, 1, 1e-8},
	[VV_BP_NORMALIZE_WEIGHTS] = {"normalize_weights", false, true, 0, 1, 1},
	[VV_BP_FILTER_WISE] = {"filter_wise", false, true, 0, 1, 0},
	[VV_BP_FLATTEN] = {"nuslerp_flatten", false, true, 0, 1, 1},
	[VV_BP_ROW_WISE] = {"nuslerp_row_wise", false, true, 0, 1, 0},
	[VV_BP_R] = {"r", false, false, -INFINITY, INFINITY, 0.1},
	[VV_BP_ALPHA] = {"alpha", false, false, 0, INFINITY, 0.2},
	[VV_BP_FAN_IN_FAN_OUT] = {"fan_in_fan_out", true, true, 0, 1, 0},
	[VV_BP_INT8_MASK] = {"int8_mask", false, true, 0, 1, 0},
};

const struct vv_blend_method *const vv_blend_methods[] = {&vv_blend_linear, &vv_blend_slerp, &vv_blend_nuslerp,
	&vv_blend_karcher, &vv_blend_multislerp, &vv_blend_task_arithmetic, &vv_blend_ties, &vv_blend_dare_linear,
	&vv_blend_dare_ties, &vv_blend_della, &vv_blend_della_linear, &vv_blend_breadcrumbs, &vv_blend_breadcrumbs_ties,
	&vv_blend_sce, &vv_blend_model_stock, &vv_blend_nearswap, &vv_blend_arcee_fusion, &vv_blend_ram, &vv_blend_ramplus_tl,
	&vv_blend_passthrough, &vv_blend_lora, NULL};

enum vv_blend_param vv_blend_param_find(struct vv_span name)
{
	enum vv_blend_param p = 0;

	while (p < VV_BP_COUNT && !vv_span_is(name, vv_blend_params[p].name))
		p++;
	return p;
}

const struct vv_blend_method *vv_blend_find(struct vv_span name)
{
	for (size_t i = 0; vv_blend_methods[i]; i++)
		if (vv_span_is(name, vv_blend_methods[i]->name))
			return vv_blend_methods[i];
	return NULL;
}

double vv_blend_usual(const struct vv_blend_method *m, enum vv_blend_param p)
{
	switch (p) {
	case VV_BP_NORMALIZE:
		return m->normalize;
	case VV_BP_RESCALE:
		return m->rescale;
	case VV_BP_EPSILON:
		return m->epsilon;
	default:
		return vv_blend_params[p].usual;
	}
}

bool vv_blend_takes(enum vv_dtype dt)
{
	return dt == VV_DT_F64 || dt == VV_DT_F32 || dt == VV_DT_F16 || dt == VV_DT_BF16;
}

int vv_blend_check(const struct vv_blend_tensor *t, size_t n, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_blend_job j = {0};
		if (!t[i].method)
			continue;
		ret = vv_blend_open(&j, &t[i], NULL, err);
		vv_blend_end(&j);
	}
	return ret;
}

/* --- writing --- */

/*
 * Makes tensors as they are read, a few blocks at a time. A thread of its own makes the blocks that follow while the last
 * ones are written: the file's order is that of the tensors.
 */
struct blocks {
	size_t tensor, first, n; /* n 0: none */
	uint8_t *bytes;
	int ret;                 /* of making them */
	struct vv_err err;
};

struct writer {
	const struct vv_blend_tensor *t;
	size_t n;
	struct vv_pool *pool;
	size_t cap;          /* blocks at once */
	pthread_t maker;
	bool started;
	/* the maker's own while it is busy */
	struct vv_blend_job job;
	size_t current;      /* the job's tensor; SIZE_MAX: none */
	struct blocks next;
	pthread_mutex_t reading;
	struct blocks now;   /* under reading */
	pthread_mutex_t lock;
	pthread_cond_t turn;
	bool busy, stop;     /* under lock */
};

struct made {
	struct vv_source base;
	struct writer *w;
	size_t tensor;
	struct vv_tensor_source copied; /* when there is no method */
};

static int start(struct writer *w, size_t tensor, struct vv_err *err)
{
	int ret;

	if (w->current == tensor)
		return 0;
	vv_blend_end(&w->job);
	w->current = SIZE_MAX;
	ret = vv_blend_begin(&w->job, &w->t[tensor], w->pool, err);
	if (!ret)
		w->current = tensor;
	return ret;
}

static size_t blocks_of(const struct made *m)
{
	return (size_t)vv_div_up(m->base.size, (uint64_t)VV_BLEND_BLOCK * vv_dtype_width(m->w->t[m->tensor].to));
}

static void make(struct writer *w)
{
	struct blocks *b = &w->next;

	b->n = 0;
	b->ret = start(w, b->tensor, &b->err);
	if (b->ret)
		return;
	b->n = w->job.n_blocks - b->first < w->cap ? w->job.n_blocks - b->first : w->cap;
	b->ret = vv_blend_make(&w->job, b->first, b->n, b->bytes, &b->err);
}

static void *maker_main(void *arg)
{
	struct writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->busy && !w->stop)
			pthread_cond_wait(&w->turn, &w->lock);
		if (w->stop)
			break;
		pthread_mutex_unlock(&w->lock);
		make(w);
		pthread_mutex_lock(&w->lock);
		w->busy = false;
		pthread_cond_broadcast(&w->turn);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Called while the maker is idle. */
static void ask(struct writer *w, size_t tensor, size_t block)
{
	w->next.tensor = tensor;
	w->next.first = block;
	w->next.ret = 0;
	vv_err_clear(&w->next.err);
	pthread_mutex_lock(&w->lock);
	w->busy = true;
	pthread_cond_broadcast(&w->turn);
	pthread_mutex_unlock(&w->lock);
}

static void wait_idle(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	while (w->busy)
		pthread_cond_wait(&w->turn, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

/* What follows these blocks: more of the tensor, or the first of the next that is made. */
static void ask_next(struct writer *w, const struct made *m, const struct blocks *b)
{
	size_t i = b->tensor + 1;

	if (b->first + b->n < blocks_of(m)) {
		ask(w, b->tensor, b->first + b->n);
		return;
	}
	for (; i < w->n; i++) {
		const struct made *other = m - m->tensor + i;
		if (w->t[i].method && other->base.size)
			break;
	}
	if (i < w->n)
		ask(w, i, 0);
}

static bool has(const struct blocks *b, size_t tensor, size_t block)
{
	return b->n && b->tensor == tensor && block >= b->first && block - b->first < b->n;
}

/* Has the block in w->now. */
static int fill(struct writer *w, const struct made *m, size_t block, struct vv_err *err)
{
	struct blocks old = w->now;

	if (has(&old, m->tensor, block))
		return 0;
	wait_idle(w);
	if (w->next.tensor != m->tensor || w->next.first != block || (!w->next.n && !w->next.ret)) {
		ask(w, m->tensor, block);
		wait_idle(w);
	}
	if (w->next.ret) {
		*err = w->next.err;
		return w->next.ret;
	}
	w->now = w->next;
	w->next = (struct blocks){.bytes = old.bytes};
	ask_next(w, m, &w->now);
	return 0;
}

static int read_made(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct made *m = (const struct made *)self;
	struct writer *w = m->w;
	size_t bytes = (size_t)VV_BLEND_BLOCK * vv_dtype_width(w->t[m->tensor].to);
	uint8_t *to = dst;
	int ret = 0;

	pthread_mutex_lock(&w->reading);
	while (len) {
		size_t at, n;
		ret = fill(w, m, (size_t)(off / bytes), err);
		if (ret)
			break;
		at = (size_t)(off - (uint64_t)w->now.first * bytes);
		n = w->now.n * bytes - at;
		n = n < len ? n : len;
		memcpy(to, w->now.bytes + at, n);
		to += n;
		off += n;
		len -= n;
	}
	pthread_mutex_unlock(&w->reading);
	return ret;
}

static int open_part(struct writer *w, struct made *m, size_t i, struct vv_part *part, struct vv_err *err)
{
	const struct vv_blend_tensor *t = &w->t[i];
	struct vv_tensor shape;
	int ret = vv_tensor_at(&shape, t->in[0].from->m, t->in[0].seg, t->in[0].view, err);

	if (ret)
		return ret;
	*part = (struct vv_part){.name = t->name, .dtype = t->method ? t->to : shape.seg->seg.dtype,
		.ndim = shape.view->ndim, .shape = shape.view->shape, .bytes = &m->base};
	if (!t->method) {
		ret = vv_tensor_open(&m->copied, t->in[0].from, &shape, err);
		part->bytes = &m->copied.base;
		part->len = shape.len;
		return ret;
	}
	*m = (struct made){{0, read_made}, w, i, {.window = NULL}};
	if (vv_mul_over(shape.numel, (uint64_t)vv_dtype_width(t->to), &m->base.size))
		return vv_fail(err, VV_ELIMIT, "tensor \"%s\" is too large", t->name);
	part->len = m->base.size;
	return 0;
}

static int writer_init(struct writer *w, struct vv_err *err)
{
	pthread_mutex_init(&w->reading, NULL);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->turn, NULL);
	w->now.bytes = malloc(w->cap * VV_BLEND_BLOCK * sizeof(double));
	w->next.bytes = malloc(w->cap * VV_BLEND_BLOCK * sizeof(double));
	if (!w->now.bytes || !w->next.bytes)
		return vv_fail_nomem(err);
	w->started = !pthread_create(&w->maker, NULL, maker_main, w);
	return w->started ? 0 : vv_fail(err, VV_ENOMEM, "no thread can be started");
}

static void writer_release(struct writer *w)
{
	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->stop = true;
		pthread_cond_broadcast(&w->turn);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->maker, NULL);
	}
	vv_blend_end(&w->job);
	pthread_mutex_destroy(&w->reading);
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->turn);
	free(w->now.bytes);
	free(w->next.bytes);
}

int vv_blend_write(const struct vv_blend_tensor *t, size_t n, const struct vv_format *format,
	struct vv_span head, struct vv_pool *pool, struct vv_sink *out, struct vv_err *err)
{
	struct writer w = {.t = t, .n = n, .pool = pool, .current = SIZE_MAX, .cap = (size_t)AHEAD * vv_pool_threads(pool)};
	struct made *made = calloc(n + 1, sizeof(*made));
	struct vv_part *parts = calloc(n + 1, sizeof(*parts));
	struct vv_segment all = {.len = head.len, .dtype = VV_DT_BYTES};
	struct vv_layout l = {.format = format, .segs = &all, .n_segs = 1, .size = head.len};
	struct vv_source_mem src;
	int ret = writer_init(&w, err);

	if (!ret && (!made || !parts))
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < n && !ret; i++)
		ret = open_part(&w, &made[i], i, &parts[i], err);
	vv_source_mem_init(&src, head);
	if (!ret)
		ret = vv_assemble(&(struct vv_assembly){&l, &src.base, parts, n}, out, err);
	writer_release(&w);
	for (size_t i = 0; i < n && made; i++)
		vv_tensor_close(&made[i].copied);
	free(made);
	free(parts);
	return ret;
}
