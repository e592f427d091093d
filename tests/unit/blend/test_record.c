#include "blend/record.h"

#include "base/le.h"
#include "tap.h"
#include "toy.h"

static struct vv_err err;

static const char recipe[] = "merge_method: ties\nbase_model: third\nmodels: [{model: first, parameters: {weight: 0.1}}, "
			     "{model: second}]\nparameters: {density: [1, 0.5]}\nseed: 3\n";
static const struct vv_record_input inputs[] = {
	{"HEAD:base \"x\"", "0123456789abcdef0123456789abcdef01234567", {{1, 2}}}, {"b.safetensors", "", {{3}}}, {"dir", "", {{4}}}};

/* A version whose file these bytes are. */
static struct vv_version version(struct vv_manifest *m, struct vv_source_mem *src, const char *format, struct vv_span bytes)
{
	*m = (struct vv_manifest){.format = format, .size = bytes.len};
	vv_source_mem_init(src, bytes);
	return (struct vv_version){m, &src->base};
}

static int read_text(const char *text, struct vv_record *rec)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_manifest m;
	struct vv_source_mem src;
	struct vv_version none = version(&m, &src, "gguf", vv_span("", 0));
	int ret = vv_record_head(&b, &none, text, &err);

	err = (struct vv_err)VV_ERR_INIT;
	if (!ret) {
		struct vv_version v = version(&m, &src, "safetensors", vv_buf_view(&b));
		ret = vv_record_read(rec, &v, &err);
	}
	vv_buf_release(&b);
	return ret;
}

static void test_round(void)
{
	static const char old[] = "{\"__metadata__\":{\"format\":\"tf\",\"by\":\"me\",\"varve.merge\":\"{}\"}}";
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), head = VV_BUF_INIT(VV_MAX_TEXT), first = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_recipe r;
	struct vv_record rec;
	struct vv_manifest m;
	struct vv_source_mem src;
	struct vv_version v;

	CHECK_OK(vv_recipe_parse(&r, vv_span_str(recipe), "r", &err), &err);
	CHECK_OK(vv_record_emit(&text, &r, inputs, &err), &err);
	CHECK(!strncmp((char *)text.ptr, "{\"record\":1,\"varve\":\"", 21));
	vv_buf_le(&first, sizeof(old) - 1, 8);
	vv_buf_str(&first, old);
	v = version(&m, &src, "safetensors", vv_buf_view(&first));
	CHECK_OK(vv_record_head(&head, &v, (char *)text.ptr, &err), &err);
	CHECK(head.len % 8 == 0 && vv_get64(head.ptr) == head.len - 8);
	CHECK(strstr((char *)head.ptr + 8, "\"format\":\"tf\",\"by\":\"me\",\"varve.merge\":"));
	v = version(&m, &src, "safetensors", vv_buf_view(&head));
	CHECK_OK(vv_record_read(&rec, &v, &err), &err);
	CHECK_STR(rec.text, (char *)text.ptr);
	CHECK_STR(rec.made_by, VV_VERSION);
	CHECK(rec.r.method == r.method && rec.r.seed == 3 && rec.r.n_models == 3);
	CHECK_STR(rec.in[rec.r.base].path, inputs[r.base].path);
	CHECK_STR(rec.in[rec.r.base].manifest, inputs[r.base].manifest);
	CHECK(vv_id_eq(&rec.in[rec.r.slices[0].sources[1].model].sha256, &inputs[r.slices[0].sources[1].model].sha256));
	/* The same head again from what was read. */
	vv_buf_clear(&first);
	CHECK_OK(vv_record_head(&first, &v, rec.text, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&first), vv_buf_view(&head)));
	vv_record_release(&rec);
	vv_recipe_release(&r);
	vv_buf_release(&text);
	vv_buf_release(&head);
	vv_buf_release(&first);
}

static void test_bad(void)
{
#define SHA "0000000000000000000000000000000000000000000000000000000000000000"
#define MODEL "\"recipe\":{\"merge_method\":\"linear\",\"models\":[{\"model\":\"0\"}]}"
	static const struct {
		const char *text;
		int code;
	} rows[] = {
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[{\"path\":\"a\",\"sha256\":\"" SHA "\"}]," MODEL "}", 0},
		{"{\"record\":2,\"varve\":\"1\",\"inputs\":[{\"path\":\"a\",\"sha256\":\"" SHA "\"}]," MODEL "}", VV_ENOTSUP},
		{"{\"record\":0,\"varve\":\"1\"," MODEL "}", VV_EFORMAT},
		{"{\"record\":1," MODEL "}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\"}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[]," MODEL "}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[{\"path\":\"a\",\"sha256\":\"00\"}]," MODEL "}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[{\"path\":\"a\",\"sha256\":\"" SHA "\",\"manifest\":\"--x\"}]," MODEL "}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[{\"path\":\"a\",\"sha256\":\"" SHA "\"}],\"recipe\":{\"merge_method\":\"linear\","
		 "\"models\":[{\"model\":\"9\"}]}}", VV_EFORMAT},
		{"{\"record\":1,\"varve\":\"1\",\"inputs\":[],\"recipe\":7}", VV_EFORMAT},
		{"not JSON", VV_EFORMAT},
		{"", VV_EFORMAT},
	};
	struct vv_manifest m;
	struct vv_source_mem src;
	struct vv_record rec;

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		CHECK_INT(read_text(rows[i].text, &rec), rows[i].code);
		CHECK(!rows[i].code == !err.msg[0]);
		if (!rows[i].code)
			vv_record_release(&rec);
	}
	/* None; no such file; a header that claims more than there is. */
	static const char *const files[] = {"", "1234567", "\xff\xff\xff\xff\xff\xff\xff\xff{}", "\x02\0\0\0\0\0\0\0{}", "\x02\0\0\0\0\0\0\0[]"};
	static const size_t lens[] = {0, 7, 10, 10, 10};
	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct vv_version v = version(&m, &src, "safetensors", vv_span(files[i], lens[i]));
		CHECK_INT(vv_record_read(&rec, &v, &err), VV_ENOTFOUND);
	}
}

int main(void)
{
	test_round();
	test_bad();
	return done();
}
