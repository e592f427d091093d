#include "blended.h"

/* Rounding at once, by trying what is near. */
static double nearest(enum vv_dtype to, double v)
{
	uint8_t low[8] = {0}, best[8] = {0};
	double least = INFINITY;

	for (unsigned u = 0; u < 65536; u++) {
		low[0] = (uint8_t)u;
		low[1] = (uint8_t)(u >> 8);
		double x = vv_dtype_value(to, low), off = fabs(x - v);
		if (off < least || (off == least && !(u & 1))) {
			least = off;
			memcpy(best, low, 2);
		}
	}
	return vv_dtype_value(to, best);
}

static void test_narrow(void)
{
	static const double tricky[] = {0, 1, 1 + 0x1p-9, 1 + 0x1p-8, 1 + 3 * 0x1p-9, 1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-8 - 0x1p-40,
		1 + 0x1p-11 + 0x1p-50, 1 + 0x1p-11, 3e-8, 2.9802322387695312e-08, -5.5, 60000, 0x1p-24, 1.5 * 0x1p-24};
	uint8_t out[8];
	size_t bad = 0;

	for (size_t i = 0; i < VV_COUNT(tricky); i++) {
		vv_blend_narrow(VV_DT_BF16, &tricky[i], 1, out);
		bad += vv_dtype_value(VV_DT_BF16, out) != nearest(VV_DT_BF16, tricky[i]);
		vv_blend_narrow(VV_DT_F16, &tricky[i], 1, out);
		bad += vv_dtype_value(VV_DT_F16, out) != nearest(VV_DT_F16, tricky[i]);
		vv_blend_narrow(VV_DT_F32, &tricky[i], 1, out);
		bad += vv_dtype_value(VV_DT_F32, out) != (double)(float)tricky[i];
		vv_blend_narrow(VV_DT_F64, &tricky[i], 1, out);
		bad += memcmp(out, &tricky[i], 8) != 0;
	}
	CHECK_INT(bad, 0);
	/* A NaN has one form, of whatever sign the processor makes it. */
	static const double nans[] = {-(double)NAN, INFINITY, -INFINITY, 1e300};
	uint8_t wide[32];
	CHECK(vv_blend_narrow(VV_DT_F64, nans, 1, wide));
	CHECK(!(wide[7] & 0x80) && isnan(vv_dtype_value(VV_DT_F64, wide)));
	CHECK(!vv_blend_narrow(VV_DT_F32, nans + 1, 3, wide));
	CHECK(vv_blend_narrow(VV_DT_BF16, nans, 4, wide));
	CHECK(!(wide[1] & 0x80) && isnan(vv_dtype_value(VV_DT_BF16, wide)));
	CHECK(vv_dtype_value(VV_DT_BF16, wide + 2) == INFINITY && vv_dtype_value(VV_DT_BF16, wide + 4) == -INFINITY &&
		vv_dtype_value(VV_DT_BF16, wide + 6) == INFINITY);
}

struct seen {
	size_t bad, by_row[3000], pieces;
	double sums[8];
};

static void see(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct seen *s = arg;

	for (size_t i = 0; i < p->n; i++)
		s->bad += p->x[0][i] != (double)(p->at + i) || p->x[1][i] != -(double)(p->at + i) || p->base != p->x[2];
	s->bad += p->n > VV_BLEND_CHUNK || p->at / VV_BLEND_BLOCK != p->block || (p->at + p->n - 1) / VV_BLEND_BLOCK != p->block;
	s->pieces++;
	s->sums[p->block] += p->x[0][0];
	(void)j;
}

static void see_row(void *arg, const struct vv_blend_job *j, const struct vv_blend_piece *p)
{
	struct seen *s = arg;

	s->bad += p->n != j->cols || p->at % j->cols || p->x[0][p->n - 1] != (double)(p->at + p->n - 1);
	s->by_row[p->at / j->cols]++;
}

static void test_pieces(void)
{
	enum { ROWS = 3000, COLS = 101, N = ROWS * COLS };
	double *x = malloc(N * 8), *y = malloc(N * 8);
	const double *const in[] = {x, y, x};
	static struct seen s;
	struct vv_blend_job j = {0};
	struct vv_pool *pool = vv_pool_new(1);
	struct blended b;
	size_t once = 0;

	for (size_t i = 0; i < N; i++) {
		x[i] = (double)i;
		y[i] = -x[i];
	}
	blended_init(&b, "task_arithmetic", in, 2, true, ROWS, COLS);
	CHECK_OK(vv_blend_open(&j, &b.t, pool, &err), &err);
	CHECK(j.numel == N && j.rows == ROWS && j.cols == COLS && j.n_blocks == 3);
	CHECK_OK(vv_blend_pass(&j, see, &s, &err), &err);
	CHECK(!s.bad && s.pieces == vv_div_up(N, VV_BLEND_CHUNK));
	CHECK_OK(vv_blend_rows(&j, see_row, &s, &err), &err);
	for (size_t i = 0; i < ROWS; i++)
		once += s.by_row[i] == 1;
	CHECK(!s.bad && once == ROWS);
	double total;
	vv_blend_sums(&j, (const double[]){1, 2, 4}, 1, &total);
	CHECK(total == 7);
	CHECK(vv_blend_dot(x, y, 101) == -338350);
	vv_blend_end(&j);
	vv_pool_free(pool);
	blended_release(&b);
	free(x);
	free(y);
}

static void test_refused(void)
{
	static const double good[4] = {1, 2, 3, 4}, bad[4] = {1, (double)NAN, 3, 4};
	static const int32_t whole[4] = {1, 2, 3, 4};
	const double *const in[] = {good, bad}, *const fine[] = {good, good};
	struct vv_blend_in other;
	struct toy t;
	struct blended b;

	blended_init(&b, "linear", in, 2, false, 1, 4);
	CHECK(!blended_make(&b, 2) && err.code == VV_EFORMAT && strstr(err.msg, "toy: tensor \"w\" has a NaN"));
	blended_release(&b);
	blended_init(&b, "linear", fine, 2, false, 2, 2);
	toy_init(&t);
	toy_tensor(&t, "w", VV_DT_F64, 4, good);
	toy_tensor(&t, "i", VV_DT_I32, 4, whole);
	toy_done(&t);
	other = b.in[1];
	b.in[1].from = &t.v;
	CHECK(!blended_make(&b, 1) && err.code == VV_EFORMAT && strstr(err.msg, "has another shape than"));
	b.in[1].seg = 1;
	CHECK(!blended_make(&b, 1) && err.code == VV_ENOTSUP && strstr(err.msg, "\"i\" of type i32 cannot be merged"));
	b.in[1] = other;
	CHECK(blended_make(&b, 1) != NULL);
	toy_release(&t);
	blended_release(&b);
}

/* Nothing is asked of an empty tensor. */
static void test_empty(void)
{
	static const double none[1];
	const double *const in[] = {none, none, none};

	for (size_t i = 0; vv_blend_methods[i]; i++) {
		struct blended b;
		blended_init(&b, vv_blend_methods[i]->name, in, 2, true, 1, 0);
		if (!blended_make(&b, 2))
			CHECK_STR(err.msg, vv_blend_methods[i]->name);
		blended_release(&b);
	}
	CHECK(true);
}

int main(void)
{
	test_narrow();
	test_pieces();
	test_refused();
	test_empty();
	return done();
}
