#include "pickles.h"

/* One finding per global that PyTorch does not write, whatever brings it. */
static void test_globals(void)
{
	/* M1 */
	pk_expect(LIT("\x80\x02""cos\nsystem\nX\2\0\0\0id\x85R."), 0, "pickle-global os.system");
	/* M2, M3 */
	pk_expect(LIT("\x80\x04\x8c\2os\x8c\6system\x93N\x85R."), VV_EFORMAT,
		"pickle-opcode opcode SHORT_BINUNICODE;pickle-global os.system");
	pk_expect(LIT("\x80\x04X\2\0\0\0osq\0X\6\0\0\0systemq\1h\0h\1\x93\x87."), VV_EFORMAT,
		"pickle-opcode opcode STACK_GLOBAL;pickle-global os.system");
	pk_expect(LIT("\x80\x04NN\x93."), VV_EFORMAT,
		"pickle-opcode opcode STACK_GLOBAL;pickle-global ?.?;pickle-broken a global whose name is no text");
	pk_expect(LIT("\x80\x04h\5h\6\x93."), VV_EFORMAT,
		"pickle-broken a memo key that was never put;pickle-opcode opcode STACK_GLOBAL;pickle-global ?.?");
	/* M4 */
	pk_expect(LIT("(S'id'\nios\nsystem\n."), VV_EFORMAT, "pickle-opcode opcode STRING;pickle-global os.system");
	pk_expect(LIT("(cos\nsystem\nS'id'\no."), VV_EFORMAT, "pickle-global os.system;pickle-opcode opcode STRING");
	pk_expect(LIT("(o."), VV_EFORMAT, "pickle-opcode opcode OBJ;pickle-broken an object of no class");
	pk_expect(LIT("ios\nsystem\n."), VV_EFORMAT,
		"pickle-opcode opcode INST;pickle-global os.system;pickle-broken an opcode that takes a mark where there is none");
	/* M5, M6, M7, M8 */
	pk_expect(LIT("\x80\x02""cbuiltins\nint.__add__\n."), 0, "pickle-global builtins.int.__add__");
	pk_expect(LIT("\x80\x02""ctorch\nSize.x\n."), 0, "pickle-global torch.Size.x");
	pk_expect(LIT("\x80\x02""ctorch._utils.x\n_rebuild_tensor_v2\n."), 0, "pickle-global torch._utils.x._rebuild_tensor_v2");
	pk_expect(LIT("\x80\x02""casyncio.unix_events\n_UnixSubprocessTransport._start\n."), 0,
		"pickle-global asyncio.unix_events._UnixSubprocessTransport._start");
	pk_expect(LIT("\x80\x02""cpkgutil\nresolve_name\nX\11\0\0\0os:system\x85RX\2\0\0\0id\x85R."), 0,
		"pickle-global pkgutil.resolve_name");
	pk_expect(LIT("\x80\x02""cuuid\n_get_command_stdout\ncimaplib\nIMAP4_stream\ncpip\nmain\n\x87."), 0,
		"pickle-global uuid._get_command_stdout;pickle-global imaplib.IMAP4_stream;pickle-global pip.main");
	/* M9 */
	pk_expect(LIT("\x80\x02\x82\7N\x85R."), VV_EFORMAT, "pickle-opcode opcode EXT1;pickle-extension code 7 of the extension registry");
	pk_expect(LIT("\x80\x02\x83\7\1."), VV_EFORMAT, "pickle-opcode opcode EXT2;pickle-extension code 263 of the extension registry");
	pk_expect(LIT("\x80\x02\x84\1\0\0\1."), VV_EFORMAT,
		"pickle-opcode opcode EXT4;pickle-extension code 16777217 of the extension registry");
	/* Once each, and a NUL hides nothing. */
	pk_expect(LIT("\x80\x02""cos\nsystem\ncos\nsystem\n\x86."), 0, "pickle-global os.system");
	pk_expect(LIT("\x80\x02""co\0s\nsystem\n."), 0, "pickle-global o?s.system");
	pk_expect(LIT("\x80\x02""ccollections\nOrderedDict\nctorch\nfloat32\n\x86."), 0, "");
}

static void test_many(void)
{
	struct vv_buf s = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct vv_pickle p;

	vv_buf_str(&s, "\x80\x02(");
	for (int i = 0; i < 1000; i++)
		vv_buf_fmt(&s, "cm%d\nf\n", i);
	vv_buf_str(&s, "t.");
	CHECK_OK(pk_parse(&p, vv_buf_view(&s), &err), &err);
	CHECK_INT(p.n_findings, 49);
	CHECK(pk_names(&p, "m0.f") && pk_names(&p, "and 952 more"));
	vv_pickle_release(&p);
	vv_buf_release(&s);
}

static void test_calls(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_pickle p;
	uint32_t n;

	/* An unknown class with state, items and elements: kept, told once. */
	CHECK_OK(pk_parse(&p, LIT("\x80\x02""cm\nC\nq\0)\x81q\1}X\1\0\0\0aK\1sbK\2aK\3K\4s."), &err), &err);
	n = p.root;
	CHECK_INT(p.nodes[n].kind, VV_PK_CALL);
	CHECK(p.nodes[n].flags & VV_PK_NEW);
	CHECK_INT(p.nodes[p.nodes[n].items.state].kind, VV_PK_DICT);
	CHECK_INT(p.nodes[vv_pickle_item(&p, n, 2)].kind, VV_PK_LIST);
	CHECK_INT(p.nodes[vv_pickle_item(&p, n, 3)].kind, VV_PK_DICT);
	CHECK_INT(p.nodes[vv_pickle_item(&p, n, 3)].items.n, 2);
	vv_pickle_release(&p);
	/* Python 2's OrderedDict, and state on it. */
	CHECK_OK(pk_parse(&p, LIT("\x80\x02""ccollections\nOrderedDict\n](](K\1K\2e](K\3K\4ee\x85R}b."), &err), &err);
	CHECK(p.nodes[p.root].kind == VV_PK_DICT && (p.nodes[p.root].flags & VV_PK_ORDERED));
	CHECK_INT(p.nodes[p.root].items.n, 4);
	CHECK(p.nodes[p.root].items.state && p.ordered);
	vv_pickle_release(&p);
	pk_expect(LIT("\x80\x02""ccollections\nOrderedDict\n]K\1a\x85R."), VV_EFORMAT,
		"pickle-type an OrderedDict of something else than pairs");
	pk_expect(LIT("\x80\x02""ccollections\nOrderedDict\n}\x85R."), VV_EFORMAT,
		"pickle-type an OrderedDict of something else than pairs");
	pk_expect(LIT("\x80\x02""ccollections\nCounter\n}\x85RK\1K\2s."), 0, "");
	pk_expect(LIT("\x80\x02""ctorch\nSize\n)RK\1a."), VV_EFORMAT, "pickle-type an item for something that is no list");
	pk_expect(LIT("\x80\x02""ctorch\nSize\nNR."), VV_EFORMAT,
		"pickle-call a call of something that is no global, or without arguments");
	pk_expect(LIT("\x80\x02N)R."), VV_EFORMAT, "pickle-call a call of something that is no global, or without arguments");
	pk_expect(LIT("\x80\x02""cm\nC\n)}\x92."), VV_EFORMAT, "pickle-global m.C;pickle-opcode opcode NEWOBJ_EX");
	/* M13: a state for an allowed class that has none of its own, or a second one. */
	pk_expect(LIT("\x80\x02""ctorch\nSize\n)\x81}b."), VV_EFORMAT, "pickle-build a state for something that has none");
	pk_expect(LIT("\x80\x02}}b."), VV_EFORMAT, "pickle-build a state for something that has none");
	pk_expect(LIT("\x80\x02""ccollections\nOrderedDict\n)R}b}b."), VV_EFORMAT, "pickle-build a state for something that has none");
	pk_expect(LIT("\x80\x02""cnumpy\ndtype\nU\2f8\x85R}b."), 0, "");
	/* Persistent ids. */
	CHECK_OK(pk_parse(&p, LIT("\x80\x02K\1Q."), &err), &err);
	CHECK_INT(p.nodes[p.root].kind, VV_PK_PERSID);
	vv_pickle_release(&p);
}

/* M12: pickles in the arguments of calls, two levels deep. */
static void test_nested(void)
{
	/* \x80 is U+0080 here, as _codecs.encode(…, "latin1") has it. */
#define LOAD "ctorch.storage\n_load_from_bytes\n"
#define ENCODE "c_codecs\nencode\n"
	pk_expect(LIT("\x80\x02" LOAD ENCODE "X\15\0\0\0\xc2\x80\x02""cos\nexec\n.X\6\0\0\0latin1\x86R\x85R."), 0,
		"pickle-global torch.storage._load_from_bytes;pickle-global os.exec");
	/* Python 2 has the bytes as they are; one level further down. */
	pk_expect(LIT("\x80\x02" LOAD "U\x33\x80\x02" LOAD "U\x0c\x80\x02""cos\nexec\n.\x85R.\x85R."), 0,
		"pickle-global torch.storage._load_from_bytes;pickle-global os.exec");
	/* Bytes for a function that is trusted are just bytes; so are those that are no pickle, or no latin1. */
	pk_expect(LIT("\x80\x02" ENCODE "X\15\0\0\0\xc2\x80\x02""cos\nexec\n.X\6\0\0\0latin1\x86R."), 0, "");
	pk_expect(LIT("\x80\x02" LOAD "X\3\0\0\0\xe2\x82\xac\x85R."), 0, "pickle-global torch.storage._load_from_bytes");
	pk_expect(LIT("\x80\x02" LOAD "X\0\0\0\0\x85R."), 0, "pickle-global torch.storage._load_from_bytes");

	/* The same long bytes in a loop: walked a few times, not each time. */
	struct vv_buf s = VV_BUF_INIT(VV_MAX_TEXT);
	vv_buf_span(&s, LIT("\x80\x02" LOAD "q\0(T\0\0\x10\0\x80\x02"));
	for (int i = 0; i < 0x100000 - 2; i++)
		vv_buf_char(&s, ')');
	vv_buf_span(&s, LIT("\x85q\1"));
	for (int i = 0; i < 20000; i++)
		vv_buf_span(&s, LIT("h\0h\1R"));
	vv_buf_str(&s, "t\x86.");
	pk_expect(vv_buf_view(&s), VV_EFORMAT, "pickle-global torch.storage._load_from_bytes;pickle-opcode opcode BINSTRING");
	vv_buf_clear(&s);
	/* The same through _codecs.encode, of text that is no pickle. */
	vv_buf_span(&s, LIT("\x80\x02" LOAD "q\0(" ENCODE "X\0\0\x10\0"));
	for (int i = 0; i < 0x100000; i++)
		vv_buf_char(&s, 'x');
	vv_buf_span(&s, LIT("N\x86R\x85q\1"));
	for (int i = 0; i < 20000; i++)
		vv_buf_span(&s, LIT("h\0h\1R"));
	vv_buf_str(&s, "t\x86.");
	pk_expect(vv_buf_view(&s), 0, "pickle-global torch.storage._load_from_bytes");
	vv_buf_release(&s);
}

int main(void)
{
	test_globals();
	test_many();
	test_calls();
	test_nested();
	return done();
}
