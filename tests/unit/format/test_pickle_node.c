#include "pickles.h"

/* Nodes that are made stand beside nodes that were read. */
static void test_made(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_pickle p;
	uint64_t v;

	CHECK_OK(pk_parse(&p, LIT("\x80\x02}q\0X\1\0\0\0aq\1K\1s."), &err), &err);
	uint32_t pair[] = {vv_pickle_new_str(&p, vv_span_str("new")), vv_pickle_new_int(&p, 300)};
	CHECK(!vv_pickle_append(&p, p.root, pair, 2));
	uint32_t global = vv_pickle_new_global(&p, "torch", "Size"), other = vv_pickle_new_global(&p, "os", "system");
	CHECK((p.nodes[global].flags & VV_PK_TRUSTED) && !(p.nodes[other].flags & VV_PK_TRUSTED));
	CHECK(vv_pickle_is_global(&p, global, "torch", "Size") && !vv_pickle_is_global(&p, global, "torch", "Siz"));
	CHECK(!vv_pickle_is_global(&p, pair[0], "torch", "Size"));
	uint32_t args = vv_pickle_new_of(&p, VV_PK_TUPLE, pair, 2), call[] = {global, args};
	uint32_t more[] = {pair[0], vv_pickle_new_of(&p, VV_PK_CALL, call, 2)};
	CHECK(!vv_pickle_append(&p, p.root, more, 2) && !vv_pickle_append(&p, p.root, more, 0));
	CHECK(vv_pickle_is_str(&p, vv_pickle_item(&p, p.root, 0), "a") && vv_pickle_is_str(&p, pair[0], "new"));
	CHECK(!vv_pickle_is_str(&p, args, "a") && !vv_pickle_text(&p, args).len);
	CHECK(!vv_pickle_u64(&p, pair[1], &v) && v == 300 && vv_pickle_u64(&p, args, &v));
	CHECK_INT(vv_pickle_item(&p, p.root, 6), 0);
	CHECK_INT(vv_pickle_item(&p, pair[0], 0), 0);
	CHECK_OK(vv_pickle_emit(&p, p.root, &out, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&out), LIT("\x80\x02}q\0(X\1\0\0\0aq\1K\1X\3\0\0\0newq\2M,\1"
		"h\2ctorch\nSize\nq\3h\2M,\1\x86q\4Rq\5u.")));
	vv_buf_release(&out);
	vv_pickle_release(&p);
	vv_pickle_release(&p);
}

/* Beyond what CPython can be asked to write in protocol 2, the writer says so. */
static void test_not_written(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_pickle p;

	CHECK_OK(pk_parse(&p, LIT("\x80\x02\x8f."), &err), &err);
	CHECK_INT(vv_pickle_emit(&p, p.root, &out, &err), VV_ENOTSUP);
	CHECK_INT(vv_pickle_emit(&p, 0, &out, &err), VV_ENOTSUP);
	uint32_t node = vv_pickle_new_str(&p, vv_span_str("x"));
	for (int i = 0; i < 300; i++)
		node = vv_pickle_new_of(&p, VV_PK_TUPLE, &node, 1);
	CHECK_INT(vv_pickle_emit(&p, node, &out, &err), VV_ENOTSUP);
	struct vv_buf small = VV_BUF_INIT(8);
	node = vv_pickle_new_str(&p, vv_span_str("more than fits"));
	CHECK_INT(vv_pickle_emit(&p, node, &small, &err), VV_ELIMIT);
	/* A Python 2 string may be longer than its opcode in protocol 2 with one byte of length. */
	char old[300];
	memset(old, 'x', sizeof(old));
	node = vv_pickle_new_str(&p, vv_span(old, sizeof(old)));
	p.nodes[node].flags |= VV_PK_OLD_STR;
	CHECK_INT(vv_pickle_emit(&p, node, &out, &err), VV_ENOTSUP);
	vv_buf_release(&small);
	vv_buf_release(&out);
	vv_pickle_release(&p);
}

int main(void)
{
	test_made();
	test_not_written();
	return done();
}
