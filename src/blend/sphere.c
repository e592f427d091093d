/*
 * Methods whose result is a sum of the inputs, each times one number. Those numbers follow from the inputs' lengths and
 * angles: one pass finds all products of two of them (Gram's matrix), and the geometry is done in that.
 */
#include "base/check.h"
#include "blend/math.h"
#include "blend/pass.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_INPUTS = 64, BANDS = 8 };

/* `g` has n * n products of the inputs (of their differences to the base, if there is one). */
typedef int coefficients(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err);

struct sphere {
	coefficients *of;
	bool by_row;
	uint64_t slab; /* of columns: elements that a step of the first dimension skips; 0: not by column */
	double *parts; /* by block, or by row: products; then by row, or column: numbers */
	double c[MAX_INPUTS];
	double divide;
};

static double weight(const struct vv_blend_job *j, size_t i)
{
	return j->t->in[i].p[VV_BP_WEIGHT];
}

static double total_weight(const struct vv_blend_job *j)
{
	double s = 0;

	for (size_t i = 0; i < j->t->n; i++)
		s += weight(j, i);
	return s;
}

static void products(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *g)
{
	size_t n = j->t->n;
	const double *d[MAX_INPUTS];

	for (size_t i = 0; i < n; i++)
		d[i] = vv_blend_delta(p, i, p->spare + i * p->n);
	for (size_t i = 0; i < n; i++)
		for (size_t k = i; k < n; k++) {
			double v = vv_blend_dot(d[i], d[k], p->n);
			g[i * n + k] += v;
			if (k != i)
				g[k * n + i] += v;
		}
}

static void add_block(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct sphere *s = arg;

	products(j, p, s->parts + p->block * j->t->n * j->t->n);
}

static void add_row(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct sphere *s = arg;
	size_t n = j->t->n;
	double g[MAX_INPUTS * MAX_INPUTS] = {0};
	struct vv_err none = VV_ERR_INIT;

	products(j, p, g);
	/* Only methods that cannot fail are had by row. */
	if (s->of(j, g, s->parts + p->at / j->cols * n, &none))
		VV_BUG("a row's numbers");
}

static int make(struct vv_blend_job *j, coefficients *of, bool by_row, struct vv_err *err)
{
	size_t n = j->t->n;
	struct sphere *s = j->state = calloc(1, sizeof(*s));
	double g[MAX_INPUTS * MAX_INPUTS];
	int ret;

	if (n > MAX_INPUTS)
		return vv_fail(err, VV_ELIMIT, "%s takes at most %d models", j->t->method->name, MAX_INPUTS);
	if (!s)
		return vv_fail_nomem(err);
	*s = (struct sphere){.of = of, .by_row = by_row, .divide = 1};
	s->parts = calloc(by_row ? j->rows : j->n_blocks, n * (by_row ? 1 : n) * sizeof(*s->parts));
	if (!s->parts)
		return vv_fail_nomem(err);
	ret = by_row ? vv_blend_rows(j, add_row, s, err) : vv_blend_pass(j, add_block, s, err);
	if (ret || by_row)
		return ret;
	vv_blend_sums(j, s->parts, n * n, g);
	return of(j, g, s->c, err);
}

static void sphere_release(struct vv_blend_job *j)
{
	struct sphere *s = j->state;

	free(s->parts);
	free(s);
}

/* Sum of c[i] * x[i], on top of the base, over `divide`. */
static VV_CLONES void weigh(const struct vv_blend_piece *p, size_t first, size_t m, const double *c, size_t n, double divide,
	double *out)
{
	for (size_t i = 0; i < m; i++)
		out[i] = 0;
	for (size_t k = 0; k < n; k++) {
		const double *x = p->x[k] + first;
		if (p->base)
			for (size_t i = 0; i < m; i++)
				out[i] += c[k] * (x[i] - p->base[first + i]);
		else
			for (size_t i = 0; i < m; i++)
				out[i] += c[k] * x[i];
	}
	if (p->base)
		for (size_t i = 0; i < m; i++)
			out[i] += p->base[first + i];
	if (divide != 1)
		for (size_t i = 0; i < m; i++)
			out[i] /= divide;
}

static void weigh_columns(const struct sphere *s, const struct vv_blend_piece *p, double *out)
{
	for (size_t i = 0; i < p->n; i++) {
		const double *c = s->parts + 2 * ((p->at + i) % s->slab);
		double b = p->base ? p->base[i] : 0, x = p->base ? p->x[0][i] - b : p->x[0][i], y = p->base ? p->x[1][i] - b : p->x[1][i];
		out[i] = c[0] * x + c[1] * y + b;
	}
}

static void mix(const struct vv_blend_job *j, const struct vv_blend_piece *p, double *out)
{
	const struct sphere *s = j->state;
	size_t m;

	if (s->slab) {
		weigh_columns(s, p, out);
		return;
	}
	for (size_t i = 0; i < p->n && s->by_row; i += m) {
		uint64_t at = p->at + i, left = j->cols - at % j->cols;
		m = left < p->n - i ? (size_t)left : p->n - i;
		weigh(p, i, m, s->parts + at / j->cols * j->t->n, j->t->n, s->divide, out + i);
	}
	if (!s->by_row)
		weigh(p, 0, p->n, s->c, j->t->n, s->divide, out);
}

/* --- linear --- */

static int linear_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct sphere *s = j->state = calloc(1, sizeof(*s));

	if (!s)
		return vv_fail_nomem(err);
	if (j->t->n > MAX_INPUTS)
		return vv_fail(err, VV_ELIMIT, "%s takes at most %d models", j->t->method->name, MAX_INPUTS);
	s->divide = j->t->p[VV_BP_NORMALIZE] != 0 ? total_weight(j) : 1;
	if (s->divide == 0)
		return vv_fail(err, VV_EUSAGE, "the weights add up to 0");
	for (size_t i = 0; i < j->t->n; i++)
		s->c[i] = weight(j, i);
	return 0;
}

static int passthrough_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	struct sphere *s = j->state = calloc(1, sizeof(*s));

	if (!s)
		return vv_fail_nomem(err);
	s->divide = 1;
	s->c[0] = j->t->in[0].p[VV_BP_SCALE];
	return 0;
}

/* --- two points --- */

static void straight(double t, double *c)
{
	c[0] = 1 - t;
	c[1] = t;
}

static void arc(double t, double angle, double *c)
{
	double s = vv_sin(angle);

	c[0] = vv_sin((1 - t) * angle) / s;
	c[1] = vv_sin(t * angle) / s;
}

static double at_least(double v, double min)
{
	return v < min ? min : v;
}

static double clamp(double v)
{
	return v < -1 ? -1 : v > 1 ? 1 : v;
}

static int slerp_of(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err VV_UNUSED)
{
	double a = sqrt(g[0]), b = sqrt(g[3]), t = j->t->p[VV_BP_T];
	double cosine = g[1] / (a > 1e-8 ? a : 1) / (b > 1e-8 ? b : 1);

	/* Nearly the same direction: the arc is a line. */
	if (fabs(cosine) > 0.9995)
		straight(t, c);
	else
		arc(t, vv_acos(cosine), c);
	return 0;
}

static int slerp_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	return make(j, slerp_of, false, err);
}

static int nuslerp_of(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err VV_UNUSED)
{
	double sum = total_weight(j), t = fabs(sum) < 1e-6 ? 0.5 : weight(j, 1) / sum;
	double angle = vv_acos(clamp(g[1] / (at_least(sqrt(g[0]), 1e-7) * at_least(sqrt(g[3]), 1e-7))));

	if (fabs(vv_sin(angle)) < 1e-8)
		straight(t, c);
	else
		arc(t, angle, c);
	return 0;
}

/* The products of two columns: of a and a, a and b, b and b, for each column of a band. */
static void add_columns(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct sphere *s = arg;
	double *sums = s->parts + 3 * p->block * s->slab;
	const double *a = vv_blend_delta(p, 0, p->spare), *b = vv_blend_delta(p, 1, p->spare + p->n);

	for (size_t i = 0; i < p->n; i++) {
		double *c = sums + 3 * ((p->at + i) % s->slab);
		c[0] += a[i] * a[i];
		c[1] += a[i] * b[i];
		c[2] += b[i] * b[i];
	}
	(void)j;
}

/* mergekit's "row wise": each column, along the first dimension, has an angle of its own. */
static int nuslerp_columns(struct vv_blend_job *j, struct vv_err *err)
{
	struct sphere *s = j->state = calloc(1, sizeof(*s));
	const struct vv_view *v = j->src[0].t.view;
	uint64_t slab = v->ndim > 1 ? j->numel / v->shape[0] : 1;
	size_t n, bands = (size_t)vv_min64(BANDS, j->rows);
	int ret;

	if (!s)
		return vv_fail_nomem(err);
	*s = (struct sphere){.slab = slab, .divide = 1};
	if (vv_to_size(slab, &n) || !(s->parts = calloc(n, 3 * bands * sizeof(*s->parts))))
		return vv_fail_nomem(err);
	ret = vv_blend_bands(j, bands, add_columns, s, err);
	for (size_t c = 0; c < n && !ret; c++) {
		double sum[3] = {0};
		for (size_t b = 0; b < bands; b++)
			for (size_t k = 0; k < 3; k++)
				sum[k] += s->parts[3 * (b * n + c) + k];
		/* Two numbers where the first band's three were. */
		ret = nuslerp_of(j, (const double[]){sum[0], sum[1], sum[1], sum[2]}, s->parts + 2 * c, err);
	}
	return ret;
}

static int nuslerp_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	if (j->t->p[VV_BP_FLATTEN] == 0 && j->t->p[VV_BP_ROW_WISE] != 0 && j->src[0].t.view->ndim > 1)
		return nuslerp_columns(j, err);
	return make(j, nuslerp_of, j->t->p[VV_BP_FLATTEN] == 0, err);
}

/* --- many points --- */

/* Product of two vectors that are sums of units, a and b their numbers; `u` has products of units. */
static double product(const double *u, size_t n, const double *a, const double *b)
{
	double s = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			s += a[i] * b[k] * u[i * n + k];
	return s;
}

static double length(const double *u, size_t n, const double *a)
{
	double s = product(u, n, a, a);

	return s > 0 ? sqrt(s) : 0;
}

/* One step of the mean: `a` is where it is. Returns whether it moved. */
static bool karcher_step(const double *u, size_t n, const double *alpha, double tol, double *a)
{
	double way[MAX_INPUTS] = {0}, far, size;

	for (size_t i = 0; i < n; i++) {
		double unit[MAX_INPUTS] = {0}, cosine, angle, sine;
		if (alpha[i] == 0)
			continue;
		unit[i] = 1;
		cosine = clamp(product(u, n, a, unit));
		angle = vv_acos(cosine);
		sine = vv_sin(angle);
		/* The way to its own antipode has no direction. */
		if (angle < tol || sine < 1e-12)
			continue;
		for (size_t k = 0; k < n; k++)
			way[k] += alpha[i] * (angle / sine) * (unit[k] - cosine * a[k]);
	}
	far = length(u, n, way);
	if (far < tol)
		return false;
	for (size_t k = 0; k < n; k++)
		a[k] = vv_cos(far) * a[k] + vv_sin(far) * (way[k] / far);
	size = length(u, n, a);
	for (size_t k = 0; k < n && size > tol; k++)
		a[k] /= size;
	return true;
}

static int karcher_of(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err VV_UNUSED)
{
	size_t n = j->t->n, valid = 0, first = n;
	double u[MAX_INPUTS * MAX_INPUTS], norm[MAX_INPUTS], alpha[MAX_INPUTS], a[MAX_INPUTS] = {0};
	double tol = j->t->p[VV_BP_TOL], size, scale = 0;

	for (size_t i = 0; i < n; i++) {
		norm[i] = sqrt(g[i * n + i]);
		scale += norm[i] / (double)n;
		valid += norm[i] > tol;
		first = norm[i] > tol && first == n ? i : first;
		c[i] = 0;
	}
	if (!valid)
		return 0;
	for (size_t i = 0; i < n; i++) {
		alpha[i] = norm[i] > tol ? 1 / (double)valid : 0;
		a[i] = alpha[i];
		for (size_t k = 0; k < n; k++)
			u[i * n + k] = norm[i] > 0 && norm[k] > 0 ? g[i * n + k] / (norm[i] * norm[k]) : 0;
	}
	size = length(u, n, a);
	for (size_t i = 0; i < n; i++)
		a[i] = size < tol ? i == first : a[i] / size;
	for (double step = 0; step < j->t->p[VV_BP_MAX_ITER] && karcher_step(u, n, alpha, tol, a); step++)
		;
	for (size_t i = 0; i < n; i++)
		c[i] = norm[i] > tol ? scale * a[i] / norm[i] : 0;
	return 0;
}

static int karcher_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	return make(j, karcher_of, false, err);
}

static int multislerp_of(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err)
{
	size_t n = j->t->n;
	double u[MAX_INPUTS * MAX_INPUTS], w[MAX_INPUTS], norm[MAX_INPUTS], mean[MAX_INPUTS], way[MAX_INPUTS] = {0};
	double eps = j->t->p[VV_BP_EPS], size, far, scale = 0, sum = j->t->p[VV_BP_NORMALIZE_WEIGHTS] != 0 ? total_weight(j) : 1;

	if (sum == 0)
		return vv_fail(err, VV_EUSAGE, "the weights add up to 0");
	for (size_t i = 0; i < n; i++) {
		w[i] = mean[i] = weight(j, i) / sum;
		norm[i] = sqrt(g[i * n + i]);
		scale += w[i] * norm[i];
	}
	for (size_t i = 0; i < n * n; i++)
		u[i] = g[i] / ((norm[i / n] + eps) * (norm[i % n] + eps));
	size = length(u, n, mean);
	/* Opposite inputs, or none but zeros. */
	if (size < eps && n > 2)
		return vv_fail(err, VV_EUSAGE, "the inputs cancel each other: multislerp needs other weights");
	for (size_t i = 0; i < n; i++)
		c[i] = w[i];
	if (size < eps || n == 1)
		return 0;
	for (size_t i = 0; i < n; i++)
		mean[i] /= size;
	for (size_t i = 0; i < n; i++) {
		double unit[MAX_INPUTS] = {0}, cosine;
		unit[i] = 1;
		cosine = product(u, n, unit, mean);
		for (size_t k = 0; k < n; k++)
			way[k] += w[i] * (unit[k] - cosine * mean[k]);
	}
	far = length(u, n, way) + eps;
	for (size_t i = 0; i < n; i++)
		c[i] = scale * (mean[i] * vv_cos(far) + way[i] * (vv_sin(far) / far)) / (norm[i] + eps);
	return 0;
}

static int multislerp_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	return make(j, multislerp_of, false, err);
}

static int model_stock_of(const struct vv_blend_job *j, const double *g, double *c, struct vv_err *err VV_UNUSED)
{
	size_t n = j->t->n;
	double sum = 0, pairs = (double)n * (double)(n - 1) / 2, cosine, divide, t;

	for (size_t i = 0; i < n; i++)
		for (size_t k = i + 1; k < n; k++)
			sum += clamp(g[i * n + k] / at_least(sqrt(g[i * n + i]) * sqrt(g[k * n + k]), 1e-6));
	cosine = sum / pairs;
	divide = 1 + (double)(n - 1) * cosine;
	/* Changes that oppose each other say nothing of how far to go. */
	t = fabs(divide) < 1e-6 ? 0 : (double)n * cosine / divide;
	for (size_t i = 0; i < n; i++)
		c[i] = t / (double)n;
	return 0;
}

static int model_stock_prepare(struct vv_blend_job *j, struct vv_err *err)
{
	return make(j, model_stock_of, j->t->p[VV_BP_FILTER_WISE] != 0, err);
}

const struct vv_blend_method vv_blend_linear = {.name = "linear", .summary = "the average, by weight",
	.min = 1, .params = VV_BP(WEIGHT) | VV_BP(NORMALIZE), .normalize = 1, .prepare = linear_prepare, .mix = mix};
const struct vv_blend_method vv_blend_passthrough = {.name = "passthrough", .summary = "one model's, as it is or scaled",
	.min = 1, .max = 1, .params = VV_BP(SCALE), .prepare = passthrough_prepare, .mix = mix};
const struct vv_blend_method vv_blend_slerp = {.name = "slerp", .summary = "a point of the arc between two models",
	.base = VV_BLEND_BASE_FIRST, .min = 2, .max = 2, .params = VV_BP(T), .prepare = slerp_prepare, .mix = mix,
	.release = sphere_release};
const struct vv_blend_method vv_blend_nuslerp = {.name = "nuslerp", .summary = "the same by weight, of changes to a base or by row",
	.base = VV_BLEND_BASE_MAYBE, .min = 2, .max = 2, .params = VV_BP(WEIGHT) | VV_BP(FLATTEN) | VV_BP(ROW_WISE),
	.prepare = nuslerp_prepare, .mix = mix, .release = sphere_release};
const struct vv_blend_method vv_blend_karcher = {.name = "karcher", .summary = "the mean on the sphere (Karcher)",
	.min = 1, .params = VV_BP(MAX_ITER) | VV_BP(TOL), .prepare = karcher_prepare, .mix = mix, .release = sphere_release};
const struct vv_blend_method vv_blend_multislerp = {.name = "multislerp", .summary = "a weighted mean on the sphere, in one step",
	.base = VV_BLEND_BASE_MAYBE, .min = 1, .params = VV_BP(WEIGHT) | VV_BP(EPS) | VV_BP(NORMALIZE_WEIGHTS),
	.prepare = multislerp_prepare, .mix = mix, .release = sphere_release};
const struct vv_blend_method vv_blend_model_stock = {.name = "model_stock", .summary = "as far from the base as the models agree",
	.base = VV_BLEND_BASE_APART, .min = 2, .params = VV_BP(FILTER_WISE), .prepare = model_stock_prepare, .mix = mix,
	.release = sphere_release};
