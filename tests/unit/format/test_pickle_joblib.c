#include "format/pickle.h"

#include "layouts.h"
#include "tap.h"

static struct {
	size_t n, vague;
	char names[64][128];
} seen;

static void tell(void *ctx VV_UNUSED, const struct vv_pickle_finding *f, bool vague)
{
	if (vague)
		seen.vague++;
	else if (seen.n < 64)
		snprintf(seen.names[seen.n++], sizeof(seen.names[0]), "%s", f->detail);
}

static bool told(const char *name)
{
	for (size_t i = 0; i < seen.n; i++)
		if (!strcmp(seen.names[i], name))
			return true;
	return false;
}

static void look(struct vv_span bytes)
{
	struct vv_err err = VV_ERR_INIT;

	memset(&seen, 0, sizeof(seen));
	CHECK_OK(vv_pickle_globals(bytes, true, tell, NULL, &err), &err);
}

/* Files by joblib: what lies behind the arrays is seen, and nothing in them is taken for a name. */
static void test_golden(void)
{
	static const char *const names[] = {"arrays", "objects"};

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);
		struct vv_err err = VV_ERR_INIT;
		struct vv_pickle p;
		char path[64];
		int ret;

		snprintf(path, sizeof(path), "joblib/%s.joblib", names[i]);
		golden_read(&file, __FILE__, path);
		look(vv_buf_view(&file));
		CHECK(told("joblib.numpy_pickle.NumpyArrayWrapper") && told("fractions.Fraction"));
		CHECK_INT(seen.n, 2 + i);
		/* It is walked to its end, with one object on the stack. */
		ret = vv_pickle_parse_joblib(&p, vv_buf_view(&file), &err);
		CHECK(ret == VV_EFORMAT && p.arrays);
		for (size_t k = 0; k < p.n_findings; k++)
			CHECK(strcmp(p.findings[k].code, "pickle-broken") != 0 && strcmp(p.findings[k].code, "pickle-trailing") != 0);
		vv_pickle_release(&p);
		/* Cut off anywhere. */
		for (size_t n = 0; n < file.len; n += 7) {
			uint8_t *part = malloc(n + 1);
			memcpy(part, file.ptr, n);
			look(vv_span(part, n));
			free(part);
		}
		vv_buf_release(&file);
	}
}

#define WRAPPER "\x80\x04\x8c\x13joblib.numpy_pickle\x8c\x11NumpyArrayWrapper\x93)\x81}("
#define DTYPE(t) "\x8c\x05" "dtype" "\x8c\x05numpy\x8c\x05" "dtype\x93\x8c\x02" t "\x85R"
#define SHAPE "\x8c\x05shapeK\x02\x85"
#define OS "cos\nsystem\n"
#define SPAN(s) vv_span((const uint8_t *)(s), sizeof(s) - 1)

/* One reader's array is the other's program. */
static void test_both(void)
{
	/* Eight bytes of an f4 array, then a global for joblib; for Python nothing but garbage. */
	look(SPAN(WRAPPER DTYPE("f4") SHAPE "ub" "\xff\xff\xff\xff\xff\xff\xff\xff" OS "."));
	CHECK(told("os.system"));
	/* "numbers" that Python runs: told as well, but as what may be no opcode. */
	look(SPAN(WRAPPER DTYPE("V6") SHAPE "ub" OS "0" "."));
	CHECK_INT(seen.vague, 1);
	CHECK(!told("os.system"));
	/* Objects: a pickle of its own right behind. */
	look(SPAN(WRAPPER DTYPE("O8") SHAPE "ub" "\x80\x02" OS "." "\x8c\x01xcposix\nsystem\n."));
	CHECK(told("os.system") && told("posix.system"));
	/* No type, a size that overflows, more than there is: the rest is walked as Python would. */
	look(SPAN(WRAPPER SHAPE "ub" OS "."));
	CHECK(told("os.system"));
	look(SPAN(WRAPPER DTYPE("f9") "\x8c\x05shape\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85" "ub" OS "."));
	CHECK(told("os.system"));
	look(SPAN(WRAPPER DTYPE("f8") "\x8c\x05shapeM\xff\xff\x85" "ub" OS "."));
	CHECK(told("os.system"));
	look(SPAN(WRAPPER DTYPE("f4") SHAPE "\x8c\x1bnumpy_array_alignment_bytesK\x10" "ub" "\x02\xff\xff" "\xff\xff\xff\xff\xff\xff\xff\xff" OS "."));
	CHECK(told("os.system"));
	look(SPAN(WRAPPER DTYPE("f4") SHAPE "\x8c\x1bnumpy_array_alignment_bytesK\x10" "ub" "\xff"));
	CHECK_INT(seen.n, 1);
}

/* Arrays of objects in each other end somewhere. */
static void test_deep(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (int i = 0; i < 50; i++)
		vv_buf_span(&b, SPAN(WRAPPER DTYPE("O8") SHAPE "ub"));
	look(vv_buf_view(&b));
	CHECK(told("joblib.numpy_pickle.NumpyArrayWrapper"));
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_both();
	test_deep();
	return done();
}
