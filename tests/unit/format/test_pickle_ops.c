#include "format/pickle_ops.h"

#include "pickles.h"

/* All 68 opcodes of protocols 0 to 5 are known, 34 of them listed. */
static void test_table(void)
{
	int known = 0, listed = 0;

	for (unsigned i = 0; i < 256; i++) {
		const struct vv_op *o = vv_op((uint8_t)i);
		known += o->group != VV_OP_UNKNOWN;
		listed += o->listed;
		if (!o->name != !o->group)
			known = -1000;
	}
	CHECK_INT(known, 68);
	CHECK_INT(listed, 34);
	CHECK_STR(vv_op(0x93)->name, "STACK_GLOBAL");
	CHECK(!vv_op(0x93)->listed && vv_op('c')->listed && !vv_op(0xff)->name);
}

/* Cut off at every byte, an opcode is not there; whole, it ends where it should. */
static void test_lengths(void)
{
	const struct {
		struct vv_span bytes;
		uint64_t num;
		const char *text, *text2;
	} cases[] = {
		{LIT("N"), 0, "", ""},
		{LIT("K\xfe"), 0xfe, "", ""},
		{LIT("M\1\2"), 0x201, "", ""},
		{LIT("J\1\2\3\4"), 0x4030201, "", ""},
		{LIT("G\1\2\3\4\5\6\7\x08"), 0x0807060504030201, "", ""},
		{LIT("U\2ab"), 2, "ab", ""},
		{LIT("X\2\0\0\0ab"), 2, "ab", ""},
		{LIT("\x8d\2\0\0\0\0\0\0\0ab"), 2, "ab", ""},
		{LIT("Iab\n"), 0, "ab", ""},
		{LIT("cab\nc\n"), 0, "ab", "c"},
		{LIT("c\n\n"), 0, "", ""},
	};

	for (size_t i = 0; i < VV_COUNT(cases); i++) {
		struct vv_op_at op;
		struct vv_cursor c;
		bool cut = true;
		for (size_t n = 0; n < cases[i].bytes.len; n++) {
			c = vv_cursor(vv_span(cases[i].bytes.ptr, n));
			cut &= vv_op_next(&c, &op) == 1 && c.left == n;
		}
		CHECK(cut);
		c = vv_cursor(cases[i].bytes);
		CHECK_INT(vv_op_next(&c, &op), 0);
		CHECK(!c.left && op.num == cases[i].num && vv_span_is(op.text, cases[i].text) && vv_span_is(op.text2, cases[i].text2));
	}
}

int main(void)
{
	test_table();
	test_lengths();
	return done();
}
