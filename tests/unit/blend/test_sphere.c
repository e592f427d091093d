/* What the methods give is as mergekit's of PyPI in double precision (tests/interop/t_mergekit.py compares more of it). */
#include "blended.h"

struct row {
	const char *method;
	size_t n;
	bool based;
	enum vv_blend_param p;
	double v;
	double want[8];
};

static const struct row rows[] = {
	{"linear", 3, false, VV_BP_WEIGHT, 0, {1.0208333333333333, -2.1874999999999996, 0.54166666666666663, 2.9791666666666661,
		-0.083333333333333329, 0.81249999999999989, -0.40624999999999994, 1.8671874999999998}},
	{"slerp", 2, false, VV_BP_T, .3, {1.5341674740835198, -2.1758936371480742, 0.37210296471983362, 3.3111105816978843,
		-0.40991906550045193, 1.2968761085360467, -0.81283935224594561, 2.2139449218458447}},
	{"karcher", 3, false, VV_BP_TOL, 1e-5, {1.1244526137062163, -2.3707867800301741, 0.53413214802561593, 2.8993734842490451,
		0.23795955972278135, 0.9701374708981777, -0.73595013187716862, 2.1262582702713715}},
	{"multislerp", 3, false, VV_BP_WEIGHT, 0, {1.1149655518072512, -2.4142713035364736, 0.58527906185032685, 3.1620057973530886,
		0.032919033427890119, 0.91080340883069122, -0.53651077702552952, 2.0839151563614546}},
	{"multislerp", 3, true, VV_BP_WEIGHT, 0, {1.1777914999107093, -2.5786795157032762, 0.64537888884722094, 3.4150137755649173,
		-0.58634622990381813, 0.54283919652963708, 0.75968837251006649, 1.6884921032425355}},
	{"model_stock", 3, true, VV_BP_FILTER_WISE, 0, {1, -1.4630307410903622, 0.5, 4.1634333943042154, -0.35797950593975864,
		1.7159590118795172, -2.968887282668673, 2.5817166971521086}},
	{"model_stock", 3, true, VV_BP_FILTER_WISE, 1, {1, -0.66629924804048812, 0.5, 5.8896849625789436, -0.4611205717042291,
		1.9222411434084581, -3.5361631443732602, 2.7493209290193725}},
};
static const double nu[] = {1.5351199393090991, -2.1978807177403854, 0.39526310063274012, 3.4415693149906241,
	-0.51106169133677715, 1.2736056775756321, -0.72162750643268836, 2.1981225759027314};
static const double nu_base[] = {2.1213949721728484, -1.8857647880790998, -0.039946158405859467, 2.5430591523163995,
	-0.62295146912811838, 1.6178150920468743, -0.66777293775537605, 2.1401743715216059};
static const double nu_rows[] = {1.4736064716686113, -2.1126007825037614, 0.38252557389047515, 3.3210283911215499,
	-0.51279615833624759, 1.2879822544146238, -0.73262262942745515, 2.2220463452374006};

static void test_formulas(void)
{
	static const double w[] = {.5, .3, .4};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct blended b;
		blended_init(&b, r->method, ABC, r->n, r->based, 2, 4);
		b.t.p[r->p] = r->v;
		for (size_t k = 0; k < r->n; k++)
			b.in[k].p[VV_BP_WEIGHT] = w[k];
		CHECK_INT(far_off(blended_make(&b, 2), r->want, 8), 0);
		blended_release(&b);
	}
}

static const double nu_columns[] = {1.6849542945859146, -2.0766742792618205, 0.4126525466637908, 3.3587852418491537,
	-0.5259926326852352, 1.1964947896906117, -0.779178649542032, 2.1359796997087996};

static void test_nuslerp(void)
{
	const double *const based[] = {A, B, BASE};
	struct blended b;

	for (int i = 0; i < 3; i++) {
		blended_init(&b, "nuslerp", i == 1 ? based : ABC, 2, i == 1, 2, 4);
		b.in[0].p[VV_BP_WEIGHT] = .6;
		b.in[1].p[VV_BP_WEIGHT] = .2;
		b.t.p[VV_BP_FLATTEN] = i != 2;
		CHECK_INT(far_off(blended_make(&b, 1), i == 0 ? nu : i == 1 ? nu_base : nu_rows, 8), 0);
		blended_release(&b);
	}
	blended_init(&b, "nuslerp", ABC, 2, false, 2, 4);
	b.t.p[VV_BP_FLATTEN] = 0;
	b.t.p[VV_BP_ROW_WISE] = 1;
	b.in[0].p[VV_BP_WEIGHT] = .6;
	b.in[1].p[VV_BP_WEIGHT] = .2;
	CHECK_INT(far_off(blended_make(&b, 1), nu_columns, 8), 0);
	blended_release(&b);
}

/* Columns of many rows: the bands are the same at any number of threads, and one column's angle is that of its vector. */
static void test_columns(void)
{
	enum { ROWS = 3000, COLS = 70 };
	double *x = noise(ROWS * COLS, 1), *y = noise(ROWS * COLS, 2), *turned[2] = {malloc(8 * ROWS * COLS), malloc(8 * ROWS * COLS)};
	const double *const xy[] = {x, y}, *const across[] = {turned[0], turned[1]};
	struct blended a, b, c;
	size_t off = 0;

	for (size_t i = 0; i < ROWS * COLS; i++)
		for (size_t k = 0; k < 2; k++)
			turned[k][i % COLS * ROWS + i / COLS] = xy[k][i];
	blended_init(&a, "nuslerp", xy, 2, false, ROWS, COLS);
	blended_init(&b, "nuslerp", xy, 2, false, ROWS, COLS);
	blended_init(&c, "nuslerp", across, 2, false, COLS, ROWS);
	a.t.p[VV_BP_FLATTEN] = b.t.p[VV_BP_FLATTEN] = c.t.p[VV_BP_FLATTEN] = 0;
	a.t.p[VV_BP_ROW_WISE] = b.t.p[VV_BP_ROW_WISE] = 1;
	const double *p = blended_make(&a, 1), *q = blended_make(&b, 7), *r = blended_make(&c, 2);
	CHECK(p && q && r && !memcmp(p, q, 8 * ROWS * COLS));
	for (size_t i = 0; p && r && i < ROWS * COLS; i++)
		off += fabs(p[i] - r[i % COLS * ROWS + i / COLS]) > 1e-12;
	CHECK_INT(off, 0);
	blended_release(&a);
	blended_release(&b);
	blended_release(&c);
	for (size_t k = 0; k < 2; k++)
		free(turned[k]);
	free(x);
	free(y);
}

/* One model merged with itself is that model; order does not matter where weights are equal. */
static void test_properties(void)
{
	static const char *const all[] = {"linear", "slerp", "nuslerp", "karcher", "multislerp"};
	enum { N = 150000 };
	double *x = noise(N, 1), *y = noise(N, 2);
	const double *const twice[] = {x, x}, *const xy[] = {x, y}, *const yx[] = {y, x};

	for (size_t i = 0; i < VV_COUNT(all); i++) {
		struct blended a, b;
		size_t off = 0;
		blended_init(&a, all[i], twice, 2, false, 1, N);
		a.t.p[VV_BP_T] = .5;
		a.t.to = VV_DT_F32;
		const float *f = (const float *)blended_make(&a, 2);
		for (size_t k = 0; f && k < N; k++)
			off += f[k] != (float)x[k];
		CHECK(f && !off);
		blended_release(&a);
		blended_init(&a, all[i], xy, 2, false, 1, N);
		blended_init(&b, all[i], yx, 2, false, 1, N);
		a.t.p[VV_BP_T] = b.t.p[VV_BP_T] = .5;
		const double *p = blended_make(&a, 1), *q = blended_make(&b, 8);
		CHECK(p && q && !far_off(p, q, N));
		p = blended_make(&b, 1);
		q = blended_make(&a, 1);
		blended_release(&a);
		blended_release(&b);
	}
	free(x);
	free(y);
}

static void test_edges(void)
{
	static const double zero[4] = {0}, one[4] = {1, 2, 3, 4}, minus[4] = {-1, -2, -3, -4};
	const double *const zeros[] = {zero, zero, zero}, *const against[] = {one, minus, zero}, *const mixed[] = {one, zero, minus};
	static const char *const all[] = {"slerp", "nuslerp", "karcher", "multislerp"};
	struct blended b;

	for (size_t i = 0; i < VV_COUNT(all); i++) {
		blended_init(&b, all[i], zeros, 2, false, 1, 4);
		b.t.p[VV_BP_T] = .5;
		CHECK_INT(far_off(blended_make(&b, 1), zero, 4), 0);
		blended_release(&b);
		blended_init(&b, all[i], against, 2, false, 1, 4);
		b.t.p[VV_BP_T] = .5;
		const double *p = blended_make(&b, 1);
		CHECK(p && p[0] == p[0] && fabs(p[3]) <= 4);
		blended_release(&b);
	}
	blended_init(&b, "multislerp", mixed, 3, false, 1, 4);
	CHECK(!blended_make(&b, 1) && err.code == VV_EUSAGE && strstr(err.msg, "cancel"));
	blended_release(&b);
	blended_init(&b, "linear", against, 2, false, 1, 4);
	b.in[0].p[VV_BP_WEIGHT] = -1;
	CHECK(!blended_make(&b, 1) && err.code == VV_EUSAGE && strstr(err.msg, "tensor \"w\": the weights add up to 0"));
	b.t.p[VV_BP_NORMALIZE] = 0;
	CHECK_INT(far_off(blended_make(&b, 1), (const double[]){-2, -4, -6, -8}, 4), 0);
	blended_release(&b);
	blended_init(&b, "passthrough", against, 1, false, 1, 4);
	b.in[0].p[VV_BP_SCALE] = -2;
	CHECK_INT(far_off(blended_make(&b, 1), (const double[]){-2, -4, -6, -8}, 4), 0);
	blended_release(&b);
	blended_init(&b, "model_stock", (const double *const[]){one, minus, zero}, 2, true, 1, 4);
	CHECK_INT(far_off(blended_make(&b, 1), zero, 4), 0);
	blended_release(&b);
}

int main(void)
{
	test_formulas();
	test_nuslerp();
	test_columns();
	test_properties();
	test_edges();
	return done();
}
