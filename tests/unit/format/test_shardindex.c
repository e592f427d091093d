#include "format/formats.h"

#include "layouts.h"
#include "tap.h"

static struct vv_err err;

/* As save_pretrained writes it. */
static const char real[] = "{\n  \"metadata\": {\n    \"total_parameters\": 6,\n    \"total_size\": 24.0\n  },\n"
	"  \"weight_map\": {\n    \"h.0.w\": \"model-00001-of-00002.safetensors\",\n"
	"    \"h.1.w\": \"model-00002-of-00002.safetensors\",\n    \"h.1.b\": \"model-00002-of-00002.safetensors\"\n  }\n}\n";

static void test_real(void)
{
	struct vv_elsewheres told;
	struct located l;

	CHECK_OK(located_bytes(&l, vv_span_str(real)), &l.err);
	CHECK_STR(l.layout.format->name, "shard-index");
	CHECK(!n_tensors(&l.layout) && !l.layout.n_findings && l.layout.n_segs == 1);
	CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), &err);
	CHECK_INT(told.n, 3);
	CHECK_STR(told.items[0].name, "h.0.w");
	CHECK_STR(told.items[0].file, "model-00001-of-00002.safetensors");
	CHECK_STR(told.items[2].name, "h.1.b");
	CHECK_STR(told.items[2].file, "model-00002-of-00002.safetensors");
	CHECK(told.items[0].off == UINT64_MAX && !told.items[0].suffix && told.items[0].dtype == VV_DT_BYTES);
	vv_elsewheres_release(&told);
	located_release(&l);
}

/* What each text is: an index of so many tensors, plain bytes, or a broken index. */
static void test_texts(void)
{
	enum { PLAIN = -1, BROKEN = -2 };
	static const struct {
		const char *text;
		int n;
		bool finding;
	} rows[] = {{"{\"weight_map\":{}}", 0, false}, {" {\"weight_map\": {\"w\": \"a/b.bin\"}, \"x\": [1, {}]} ", 1, false},
		{"{\"weight_map\":{\"\\u0077\":\"f\",\"v\":\"f\"}}", 2, false}, {"[\"weight_map\"]", PLAIN, false},
		{"{\"a\": \"weight_map\"}", PLAIN, false}, {"{\"a\": {\"weight_map\": {}}}", PLAIN, false},
		{"{\"weight_map\": []}", PLAIN, false}, {"{\"weight_map\": 5}", PLAIN, false}, {"{\"weight_map\"", PLAIN, false},
		{"{\"a\": nope, \"weight_map\": {}}", PLAIN, false}, {"{1: \"weight_map\"}", PLAIN, false},
		{"{\"weight_map\": {\"w\": \"f\"", BROKEN, true}, {"{\"weight_map\": {\"w\": \"f\",}}", BROKEN, true},
		{"{\"weight_map\": {\"w\": 5}}", BROKEN, true}, {"{\"weight_map\": {\"w\" \"f\"}}", BROKEN, true},
		{"{\"weight_map\": {\"w\": \"f\" \"v\": \"f\"}}", BROKEN, true},
		{"{\"weight_map\": {\"w\": \"f\", \"w\": \"g\"}}", BROKEN, true},
		{"{\"weight_map\": {\"w\\u0000\": \"f\"}}", BROKEN, true}, {"{\"weight_map\": {}} x", BROKEN, true},
		{"{\"weight_map\": {}, \"weight_map\": {}}", BROKEN, true}, {"{\"weight_map\": {}, 5}", BROKEN, true},
		{"{\"weight_map\": {}", BROKEN, true},
		/* Out of the folder: told, and left out. */
		{"{\"weight_map\": {\"w\": \"../f\", \"v\": \"f\"}}", 1, true}, {"{\"weight_map\": {\"w\": \"/etc/passwd\"}}", 0, true},
		{"{\"weight_map\": {\"w\": \"\"}}", 0, true}, {"{\"weight_map\": {\"w\": \"a\\u0000b\"}}", 0, true},
		{"{\"weight_map\": {\"w\": \"c:f\"}}", 0, true}};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct vv_elsewheres told;
		struct located l;

		CHECK_OK(located_bytes(&l, vv_span_str(rows[i].text)), &l.err);
		tap_ok(!strcmp(l.layout.format->name, rows[i].n < 0 ? "opaque" : "shard-index"), rows[i].text, __FILE__, __LINE__);
		CHECK_INT(has_finding(&l.layout, rows[i].n == BROKEN ? "malformed" : "external-path"), rows[i].finding);
		CHECK_INT(l.layout.n_findings, rows[i].finding);
		CHECK_INT(vv_elsewhere_read(&vv_format_shard_index, &l.mem.base, &told, &err), rows[i].n < 0 ? VV_EFORMAT : 0);
		CHECK_INT(told.n, rows[i].n < 0 ? 0 : rows[i].n);
		vv_elsewheres_release(&told);
		located_release(&l);
	}
}

/* A folder is below the folder, but no file; names and paths have limits. */
static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_elsewheres told;
	struct vv_source_mem mem;

	vv_source_mem_init(&mem, vv_span_str("{\"weight_map\": {\"w\": \".\"}}"));
	CHECK_INT(vv_elsewhere_read(&vv_format_shard_index, &mem.base, &told, &err), VV_EUNSAFE);
	vv_buf_str(&b, "{\"weight_map\": {\"w\": \"");
	for (int i = 0; i <= VV_MAX_NAME; i++)
		vv_buf_char(&b, 'x');
	vv_buf_str(&b, "\"}}");
	vv_source_mem_init(&mem, vv_buf_view(&b));
	CHECK_INT(vv_elsewhere_read(&vv_format_shard_index, &mem.base, &told, &err), VV_ELIMIT);
	mem.base.size = VV_MAX_HEADER + 1;
	CHECK_INT(vv_elsewhere_read(&vv_format_shard_index, &mem.base, &told, &err), VV_ELIMIT);
	vv_buf_release(&b);
}

int main(void)
{
	test_real();
	test_texts();
	test_limits();
	return done();
}
