#include "expected.h"
#include "mkhdf5.h"
#include "mkzip.h"

static struct vv_err err;

static const char metadata[] = "{\"keras_version\": \"3.15.1\"}", config[] = "{\"class_name\": \"Dense\"}";

static void test_golden(void)
{
	check_golden(__FILE__, "hdf5", "model.keras", "keras");
	check_golden(__FILE__, "hdf5", "deflated.keras", "keras");
}

/* The weights `w`, four bytes. */
static struct vv_span weights(struct mkh5 *m)
{
	mkh5_begin(m);
	mkh5_link(m, "w", mkh5_bytes(m, mkh5_add(m, "abcd", 4), 4));
	return mkh5_end(m);
}

static struct vv_span archive(struct mkzip *z, const char *conf, struct vv_span file, unsigned flags)
{
	*z = (struct mkzip)MKZIP_INIT;
	mkzip_add(z, "metadata.json", vv_span_str(metadata), 0);
	if (conf)
		mkzip_add(z, "config.json", vv_span_str(conf), flags);
	if (file.len)
		mkzip_add(z, "model.weights.h5", file, flags);
	return mkzip_end(z, false, "");
}

/* Any archive that holds weights, or that Keras says it wrote. */
static void test_probe(void)
{
	struct mkh5 m = MKH5_INIT;
	struct mkzip z = MKZIP_INIT;
	struct located l;

	mkzip_add(&z, "model.weights.h5", weights(&m), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "keras");
	CHECK_INT(n_tensors(&l.layout), 1);
	located_release(&l);
	mkzip_release(&z);
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "metadata.json", vv_span_str("{}"), 0);
	mkzip_add(&z, "config.json", vv_span_str("{}"), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_STR(l.layout.format->name, "opaque");
	CHECK(!l.layout.n_findings);
	located_release(&l);
	mkzip_release(&z);
	/* A configuration that fills all that a probe sees. */
	char *long_one = calloc(1, 8000);
	memset(long_one, 'c', 7999);
	CHECK_OK(located_bytes(&l, archive(&z, long_one, weights(&m), 0)), &l.err);
	CHECK_STR(l.layout.format->name, "keras");
	CHECK_INT(n_tensors(&l.layout), 1);
	CHECK(!l.layout.n_findings);
	located_release(&l);
	mkzip_release(&z);
	mkh5_release(&m);
	free(long_one);
}

static void test_findings(void)
{
	static const char *const lambdas[] = {"{\"class_name\": \"Lambda\"}", "{\"class_name\":\"__lambda__\"}",
		"{\"class_name\": \"L\\u0061mbd\\u0061\"}"};
	struct mkh5 m = MKH5_INIT;
	struct mkzip z;
	struct located l;

	/* M57: Python in the configuration, compressed or not. */
	for (unsigned i = 0; i < 6; i++) {
		CHECK_OK(located_bytes(&l, archive(&z, lambdas[i % 3], weights(&m), i / 3 ? MKZIP_DEFLATE : 0)), &l.err);
		CHECK(has_finding(&l.layout, "keras-lambda"));
		CHECK_INT(has_finding(&l.layout, "deflated"), i / 3);
		CHECK_INT(n_tensors(&l.layout), !(i / 3));
		CHECK(!layout_wrong(&l.layout));
		located_release(&l);
		mkzip_release(&z);
	}
	/* One that does not inflate is told, and the weights seen all the same. */
	z = (struct mkzip)MKZIP_INIT;
	mkzip_add(&z, "metadata.json", vv_span_str(metadata), 0);
	mkzip_add(&z, "config.json", vv_span_str(config), MKZIP_DEFLATE);
	memset(z.out.ptr + z.payload, 0xff, 8);
	mkzip_add(&z, "model.weights.h5", weights(&m), 0);
	mkzip_add(&z, "m/data.pkl", vv_span_str("cos\nsystem\n."), 0);
	CHECK_OK(located_bytes(&l, mkzip_end(&z, false, "")), &l.err);
	CHECK_INT(n_tensors(&l.layout), 1);
	CHECK(has_finding(&l.layout, "malformed") && has_finding(&l.layout, "polyglot"));
	located_release(&l);
	mkzip_release(&z);
	/* No weights; weights that are none. */
	CHECK_OK(located_bytes(&l, archive(&z, config, vv_span("", 0), 0)), &l.err);
	CHECK_STR(l.layout.format->name, "opaque");
	CHECK_STR(l.layout.findings[0].detail, "keras: no member model.weights.h5");
	located_release(&l);
	mkzip_release(&z);
	CHECK_OK(located_bytes(&l, archive(&z, config, vv_span_str("no weights"), 0)), &l.err);
	CHECK_STR(l.layout.findings[0].detail, "keras: member 'model.weights.h5': no superblock");
	located_release(&l);
	mkzip_release(&z);
	mkh5_release(&m);
}

/* Elements replaced, the CRC renewed, and all else as it was. */
static void test_assemble(void)
{
	const uint64_t four[] = {4}, five[] = {5};
	struct memsink out = MEMSINK_INIT;
	struct mkh5 m = MKH5_INIT;
	struct vv_source_mem x;
	struct mkzip z, y;
	struct located l;

	CHECK_OK(located_bytes(&l, archive(&z, config, weights(&m), 0)), &l.err);
	vv_source_mem_init(&x, vv_span_str("ABCD"));
	struct vv_part p = {"w", VV_DT_I8, 1, four, 4, &x.base};
	struct vv_assembly a = {&l.layout, &l.mem.base, &p, 1};
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	memcpy(m.out.ptr + 48, "ABCD", 4);
	archive(&y, config, vv_buf_view(&m.out), 0);
	CHECK(vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&y.out)));
	p.name = "v";
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_ENOTSUP);
	vv_source_mem_init(&x, vv_span_str("ABCDE"));
	p = (struct vv_part){"w", VV_DT_I8, 1, five, 5, &x.base};
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_ENOTSUP);
	located_release(&l);
	mkzip_release(&z);
	/* Into a compressed member nothing is written. */
	CHECK_OK(located_bytes(&l, archive(&z, config, weights(&m), MKZIP_DEFLATE)), &l.err);
	a = (struct vv_assembly){&l.layout, &l.mem.base, NULL, 0};
	CHECK_INT(vv_assemble(&a, &out.base, &err), VV_ENOTSUP);
	located_release(&l);
	mkzip_release(&z);
	mkzip_release(&y);
	mkh5_release(&m);
	vv_buf_release(&out.bytes);
}

static void test_truncated(void)
{
	struct mkh5 m = MKH5_INIT;
	struct mkzip z;
	int bad = 0;

	archive(&z, config, weights(&m), 0);
	for (size_t n = 0; n < z.out.len; n++) {
		struct located l;
		bad += located_bytes(&l, vv_span(z.out.ptr, n)) || strcmp(l.layout.format->name, "opaque") ||
			layout_wrong(&l.layout);
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	mkzip_release(&z);
	mkh5_release(&m);
}

int main(void)
{
	test_golden();
	test_probe();
	test_findings();
	test_assemble();
	test_truncated();
	return done();
}
