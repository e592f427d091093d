#include "format/protobuf.h"

#include "expected.h"

/* --- models, made field by field --- */

struct made {
	struct vv_buf graph, file, t, sub;
};

#define MADE_INIT \
	{VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT), VV_BUF_INIT(VV_MAX_TEXT)}

static void number(struct vv_buf *out, uint32_t field, uint64_t v)
{
	vv_pb_put_key(out, field, VV_PB_NUMBER);
	vv_pb_put_varint(out, v);
}

static void words(struct vv_buf *out, uint32_t field, const char *text)
{
	vv_pb_put_bytes(out, field, vv_span_str(text));
}

/* A TensorProto of one dimension. */
static void tensor(struct vv_buf *t, const char *name, uint64_t type, uint64_t dim, const char *raw, size_t len)
{
	vv_buf_clear(t);
	number(t, 1, dim);
	number(t, 2, type);
	words(t, 8, name);
	if (raw)
		vv_pb_put_bytes(t, 9, vv_span(raw, len));
}

/* The graph, as it is, in a model. */
static struct vv_span model(struct made *m)
{
	vv_buf_clear(&m->file);
	number(&m->file, 1, 10);
	words(&m->file, 2, "test");
	vv_pb_put_bytes(&m->file, 7, vv_buf_view(&m->graph));
	vv_pb_put_bytes(&m->file, 8, vv_span("\x10\x15", 2));
	return vv_buf_view(&m->file);
}

static struct vv_span model_with(struct made *m, const struct vv_buf *t)
{
	vv_buf_clear(&m->graph);
	words(&m->graph, 2, "g");
	vv_pb_put_bytes(&m->graph, 5, vv_buf_view(t));
	return model(m);
}

static void made_release(struct made *m)
{
	vv_buf_release(&m->graph);
	vv_buf_release(&m->file);
	vv_buf_release(&m->t);
	vv_buf_release(&m->sub);
}

static const char *detail(const struct vv_layout *l)
{
	return l->n_findings ? l->findings[l->n_findings - 1].detail : "";
}

/* `says`: a part of the last finding's words when the file is kept whole; NULL: it is read, with `n` tensors. */
static void expect(const char *what, struct vv_span file, const char *says, const char *code, size_t n)
{
	struct located l;
	bool ok = !located_bytes(&l, file) && !layout_wrong(&l.layout);

	if (says)
		ok = ok && has_finding(&l.layout, code) && strstr(detail(&l.layout), says) &&
			!strcmp(l.layout.format->name, "opaque");
	else
		ok = ok && !strcmp(l.layout.format->name, "onnx") && n_tensors(&l.layout) == n &&
			(code ? has_finding(&l.layout, code) : !l.layout.n_findings);
	tap_ok(ok, what, __FILE__, __LINE__);
	if (!ok)
		printf("# %s, %zu tensors: %s\n", l.layout.format->name, n_tensors(&l.layout), detail(&l.layout));
	located_release(&l);
}

static void test_golden(void)
{
	static const char *const files[] = {"types.onnx", "fields.onnx", "nested.onnx", "model.onnx", "model-changed.onnx",
		"model-reshaped.onnx", "model-more.onnx", "model-fewer.onnx", "empty.onnx", "external.onnx",
		"external-bad.onnx", "unknown.onnx", "torch.onnx", "symbols.onnx", "old-inputs.onnx"};
	static const char *const bad[] = {"bad-length.onnx", "bad-short.onnx"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "onnx", files[i], "onnx");
	for (size_t i = 0; i < VV_COUNT(bad); i++)
		check_golden(__FILE__, "onnx", bad[i], "opaque");
}

/* --- what it is taken for --- */

static void test_probe(void)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *format;
	} files[] = {{"\x08\x0a:\4\x12\2gg", 8, "onnx"}, {"\x08\x0a\x12\1x:\4\x12\2gg", 11, "onnx"},
		{"\x08\x0a\x12\1x\x32\3a\nb:\4\x12\2gg", 16, "onnx"}, {"\x08\x0a", 2, "opaque"}, {"\x08\x0a\x12\1x", 5, "opaque"},
		{"\x08\0:\4\x12\2gg", 8, "opaque"}, {"\x08\x40:\4\x12\2gg", 8, "opaque"}, {"\x08\x0a:\0", 4, "opaque"},
		{"\x0a\2\x08\x0a:\4\x12\2gg", 10, "opaque"}, {"\x08\x0a\x12\1\n:\4\x12\2gg", 11, "opaque"},
		{"\x08\x0a\x12\3\x0a\1a:\4\x12\2gg", 13, "opaque"}, {"\x08\x0a\x10\1:\4\x12\2gg", 10, "opaque"},
		{"\x08\x0a\x08\x0a:\4\x12\2gg", 10, "opaque"}, {"\x08\x0a\x32\2a\0:\4\x12\2gg", 12, "opaque"},
		{"\x08\x0a\xa2\x1f\2ab:\4\x12\2gg", 13, "opaque"}, {"\x08\x0a:\4\xff\xff\xff\xff", 8, "opaque"},
		{"\x08\x0ayz\n", 5, "opaque"}, {"\x08\x0a:\2\x10\1", 6, "onnx"}, {"\b\b\b\b\b\b\b\b", 8, "opaque"}};
	uint64_t seed = 1;
	int told = 0;

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		struct located l;
		CHECK_OK(located_bytes(&l, vv_span(files[i].bytes, files[i].len)), &l.err);
		CHECK_STR(l.layout.format->name, files[i].format);
		CHECK_INT(l.layout.n_findings, 0);
		located_release(&l);
	}
	/* Bytes at random that begin as a model does, and text: nothing is said. */
	for (int i = 0; i < 3000; i++) {
		uint8_t junk[5000] = {0x08, 0x07};
		struct located l;
		for (size_t k = 2; k < sizeof(junk); k++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			junk[k] = i & 1 ? (uint8_t)(seed >> 56) : (uint8_t)(' ' + (seed >> 57) % 95);
		}
		if (located_bytes(&l, vv_span(junk + (i & 2), sizeof(junk) - (i & 2))))
			abort();
		told += l.layout.n_findings != 0;
		located_release(&l);
	}
	CHECK(told <= 1);
}

/* A graph that begins behind the bytes that the probe sees. */
static void test_late(void)
{
	struct made m = MADE_INIT;
	struct vv_buf file = VV_BUF_INIT(VV_MAX_TEXT);

	tensor(&m.t, "w", 2, 3, "abc", 3);
	model_with(&m, &m.t);
	for (int text = 4000; text < 4200; text++) {
		struct located l;
		vv_buf_clear(&file);
		number(&file, 1, 10);
		vv_pb_put_key(&file, 6, VV_PB_BYTES);
		vv_pb_put_varint(&file, (uint64_t)text);
		for (int i = 0; i < text; i++)
			vv_buf_char(&file, 'd');
		vv_pb_put_bytes(&file, 7, vv_buf_view(&m.graph));
		if (located_bytes(&l, vv_buf_view(&file)) || strcmp(l.layout.format->name, "onnx") || n_tensors(&l.layout) != 1)
			CHECK_INT(text, 0);
		located_release(&l);
	}
	CHECK(1);
	vv_buf_release(&file);
	made_release(&m);
}

/* --- tensors --- */

static void test_tensors(void)
{
	static const struct {
		const char *what;
		uint64_t type, dim;
		size_t len;
		const char *says;
		size_t n;
	} rows[] = {{"a run", 1, 2, 8, NULL, 1}, {"too short", 1, 2, 7, "do not agree", 0}, {"too long", 1, 2, 9, "do not agree", 0},
		{"a negative dimension", 1, UINT64_MAX, 8, "negative dimension", 0}, {"2^62 floats", 1, (uint64_t)1 << 62, 8, "do not agree", 0},
		{"2^61 doubles", 11, (uint64_t)1 << 61, 0, "do not agree", 0}, {"strings in raw_data", 8, 2, 8, NULL, 0},
		{"five int4 in three bytes", 22, 5, 3, NULL, 1}, {"five int4 in two", 22, 5, 2, "do not agree", 0},
		{"eight uint2 in two bytes", 25, 8, 2, NULL, 1}, {"nothing", 1, 0, 0, NULL, 1}};
	struct made m = MADE_INIT;

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		tensor(&m.t, "w", rows[i].type, rows[i].dim, "01234567890", rows[i].len);
		expect(rows[i].what, model_with(&m, &m.t), rows[i].says, rows[i].says ? "malformed" : NULL, rows[i].n);
	}
	tensor(&m.t, "w", 29, 2, "abc", 3);
	expect("a type to come", model_with(&m, &m.t), NULL, "unknown-dtype", 0);
	tensor(&m.t, "w", 0, 2, "abc", 3);
	expect("no type", model_with(&m, &m.t), NULL, "unknown-dtype", 0);
	tensor(&m.t, "w", 1, 2, NULL, 0);
	expect("no data", model_with(&m, &m.t), NULL, NULL, 0);
	vv_pb_put_bytes(&m.t, 4, vv_span("01234567", 8));
	expect("float_data", model_with(&m, &m.t), NULL, NULL, 1);
	vv_pb_put_bytes(&m.t, 4, vv_span("01234567", 8));
	expect("in two runs", model_with(&m, &m.t), NULL, NULL, 0);
	vv_pb_put_bytes(&m.t, 9, vv_span("01234567", 8));
	expect("and raw_data too", model_with(&m, &m.t), "two kinds of data", "malformed", 0);
	tensor(&m.t, "w", 1, 1, NULL, 0);
	vv_buf_add(&m.t, "\x25\1\2\3\4", 5);
	expect("float by float", model_with(&m, &m.t), NULL, NULL, 0);
	tensor(&m.t, "w", 11, 1, NULL, 0);
	vv_pb_put_bytes(&m.t, 10, vv_span("01234567", 8));
	expect("double_data", model_with(&m, &m.t), NULL, NULL, 1);
	tensor(&m.t, "w", 11, 1, NULL, 0);
	vv_pb_put_bytes(&m.t, 4, vv_span("0123", 4));
	expect("a double in float_data", model_with(&m, &m.t), NULL, NULL, 0);
	tensor(&m.t, "w", 2, 3, "abc", 3);
	vv_pb_put_bytes(&m.t, 3, vv_span("\x08\1\x10\2", 4));
	expect("a segment of a tensor", model_with(&m, &m.t), NULL, NULL, 0);
	made_release(&m);
}

/* Fields that stand twice, and in other wire types. */
static void test_fields(void)
{
	static const uint32_t once[] = {2, 8, 9, 14};
	struct made m = MADE_INIT;

	for (size_t i = 0; i < VV_COUNT(once); i++)
		for (int other = 0; other < 2; other++) {
			tensor(&m.t, "w", 2, 3, "abc", 3);
			if (once[i] == 14 && !other)
				number(&m.t, 14, 0);
			if (other)
				vv_buf_clear(&m.t);
			if ((once[i] == 2 || once[i] == 14) == !other)
				number(&m.t, once[i], 1);
			else
				words(&m.t, once[i], "w");
			expect(other ? "another wire type" : "twice", model_with(&m, &m.t), other ? "wire type" : "stands twice",
				"malformed", 0);
		}
	/* Packed dimensions, in two pieces and one by one. */
	vv_buf_clear(&m.t);
	vv_pb_put_bytes(&m.t, 1, vv_span("\2\1", 2));
	number(&m.t, 1, 2);
	number(&m.t, 2, 2);
	vv_pb_put_bytes(&m.t, 9, vv_span("abcd", 4));
	expect("packed dimensions, and no name", model_with(&m, &m.t), NULL, NULL, 1);
	vv_pb_put_bytes(&m.t, 1, vv_span("\x80", 1));
	expect("cut off", model_with(&m, &m.t), "ends within a field", "malformed", 0);
	tensor(&m.t, "w", 2, 3, "abc", 3);
	model_with(&m, &m.t);
	vv_pb_put_bytes(&m.file, 7, vv_buf_view(&m.graph));
	expect("two graphs", vv_buf_view(&m.file), "stands twice", "malformed", 0);
	model_with(&m, &m.t);
	number(&m.graph, 5, 1);
	expect("an initializer that is a number", model(&m), "wire type", "malformed", 0);
	made_release(&m);
}

/* M46, M47 and limits: names. */
static void test_names(void)
{
	static char name[VV_MAX_NAME + 2];
	struct made m = MADE_INIT;
	struct located l;

	tensor(&m.t, "a\nb", 2, 3, "abc", 3);
	expect("a line feed", model_with(&m, &m.t), NULL, "odd-name", 1);
	tensor(&m.t, "\xff", 2, 3, "abc", 3);
	expect("no UTF-8", model_with(&m, &m.t), NULL, "odd-name", 1);
	tensor(&m.t, "", 2, 3, "abc", 3);
	vv_buf_clear(&m.t);
	number(&m.t, 1, 3);
	number(&m.t, 2, 2);
	vv_pb_put_bytes(&m.t, 8, vv_span("a\0b", 3));
	vv_pb_put_bytes(&m.t, 9, vv_span("abc", 3));
	expect("a NUL", model_with(&m, &m.t), "a NUL", "malformed", 0);
	memset(name, 'n', VV_MAX_NAME);
	tensor(&m.t, name, 2, 3, "abc", 3);
	expect("as long as a name may be", model_with(&m, &m.t), NULL, NULL, 1);
	name[VV_MAX_NAME] = 'n';
	tensor(&m.t, name, 2, 3, "abc", 3);
	expect("longer", model_with(&m, &m.t), "more than 4096", "limit", 0);
	/* "<node>.<attribute>" passes the limit although its parts do not. */
	name[VV_MAX_NAME] = 0;
	vv_buf_clear(&m.sub);
	words(&m.sub, 1, "value");
	tensor(&m.t, "", 2, 3, "abc", 3);
	vv_pb_put_bytes(&m.sub, 5, vv_buf_view(&m.t));
	vv_buf_clear(&m.t);
	words(&m.t, 3, name);
	vv_pb_put_bytes(&m.t, 5, vv_buf_view(&m.sub));
	vv_buf_clear(&m.graph);
	vv_pb_put_bytes(&m.graph, 1, vv_buf_view(&m.t));
	expect("longer by its attribute", model(&m), "more than 4096", "limit", 0);
	/* The node's words may stand behind its attribute, the attribute's name behind the tensor. */
	tensor(&m.t, "", 2, 3, "abc", 3);
	vv_buf_clear(&m.sub);
	vv_pb_put_bytes(&m.sub, 5, vv_buf_view(&m.t));
	words(&m.sub, 1, "value");
	vv_buf_clear(&m.t);
	vv_pb_put_bytes(&m.t, 5, vv_buf_view(&m.sub));
	words(&m.t, 4, "Constant");
	words(&m.t, 2, "out");
	words(&m.t, 2, "second");
	vv_buf_clear(&m.graph);
	vv_pb_put_bytes(&m.graph, 1, vv_buf_view(&m.t));
	CHECK_OK(located_bytes(&l, model(&m)), &l.err);
	CHECK(l.layout.n_segs > 1 && l.layout.segs[1].n_views && !strcmp(l.layout.segs[1].views[0].name, "out"));
	located_release(&l);
	made_release(&m);
}

/* M31, M32, M35: where data is said to be; `bad`: a part of what is told. */
static void test_external(void)
{
	static const struct {
		const char *location;
		size_t len;
		const char *offset, *length, *bad;
	} rows[] = {{"w.bin", 5, NULL, NULL, NULL}, {"a/b/..c/d..", 11, "0", "8", NULL}, {".", 1, NULL, NULL, NULL},
		{"junk/../../x", 12, NULL, NULL, ".."}, {"..", 2, NULL, NULL, ".."}, {"../x", 4, NULL, NULL, ".."},
		{"a/..", 4, NULL, NULL, ".."}, {"/etc/passwd", 11, NULL, NULL, "absolute"}, {"C:\\x", 4, NULL, NULL, "backslash"},
		{"c:x", 3, NULL, NULL, "drive"}, {"a\\b", 3, NULL, NULL, "backslash"}, {"a\0b", 3, NULL, NULL, "NUL"},
		{"", 0, NULL, NULL, "empty"}, {NULL, 0, NULL, NULL, "no path"}, {"x", 1, "18446744073709551615", "1", "past any end"},
		{"x", 1, "18446744073709551616", "1", "no number"}, {"x", 1, "9223372036854775807", "1", "past any end"},
		{"x", 1, "9223372036854775806", "1", NULL}, {"x", 1, "-1", NULL, "no number"}, {"x", 1, "", NULL, "no number"},
		{"x", 1, "1e3", NULL, "no number"}, {"x", 1, NULL, " 1", "no number"}};
	struct made m = MADE_INIT;

	for (size_t i = 0; i < VV_COUNT(rows); i++)
		for (int external = 0; external < 3; external++) {
			const char *const entries[][2] = {{"offset", rows[i].offset}, {"length", rows[i].length}, {"checksum", "z"}};
			struct located l;

			tensor(&m.t, "far\nname", 1, 2, NULL, 0);
			vv_buf_clear(&m.sub);
			words(&m.sub, 1, "location");
			vv_pb_put_bytes(&m.sub, 2, vv_span(rows[i].location, rows[i].len));
			if (rows[i].location)
				vv_pb_put_bytes(&m.t, 13, vv_buf_view(&m.sub));
			for (size_t k = 0; k < VV_COUNT(entries); k++) {
				vv_buf_clear(&m.sub);
				words(&m.sub, 1, entries[k][0]);
				words(&m.sub, 2, entries[k][1] ? entries[k][1] : "");
				if (entries[k][1])
					vv_pb_put_bytes(&m.t, 13, vv_buf_view(&m.sub));
			}
			/* Behind the entries, as it is written; and in a sparse tensor. */
			if (external)
				number(&m.t, 14, 1);
			vv_buf_clear(&m.sub);
			vv_pb_put_bytes(&m.sub, 1, vv_buf_view(&m.t));
			model_with(&m, &m.t);
			vv_buf_clear(&m.graph);
			vv_pb_put_bytes(&m.graph, external == 2 ? 15 : 5, vv_buf_view(external == 2 ? &m.sub : &m.t));
			CHECK_OK(located_bytes(&l, model(&m)), &l.err);
			CHECK_STR(l.layout.format->name, "onnx");
			CHECK_INT(l.layout.n_findings, external && rows[i].bad);
			if (external && rows[i].bad)
				CHECK(has_finding(&l.layout, "external-path") && strstr(detail(&l.layout), rows[i].bad) &&
					strstr(detail(&l.layout), "far\nname"));
			located_release(&l);
		}
	made_release(&m);
}

/* What is told of data in other files: the place, and what the elements are where the length is theirs. */
static void test_elsewhere(void)
{
	static const struct {
		uint64_t type, dims[2];
		const char *location, *offset, *length, *dtype; /* NULL: left out */
		uint64_t off, len;
	} rows[] = {{1, {2, 3}, "w.bin", "4096", "24", "f32", 4096, 24}, {1, {2, 3}, "./a/w.bin", NULL, NULL, "f32", 0, 24},
		{16, {2, 3}, "w.bin", "8", NULL, "bf16", 8, 12}, {1, {2, 3}, "w.bin", "8", "20", "bytes", 8, 20},
		{22, {2, 3}, "w.bin", "8", NULL, "bytes", 8, 3}, {22, {2, 3}, "w.bin", "8", "3", "bytes", 8, 3},
		{99, {2, 3}, "w.bin", "8", "5", "bytes", 8, 5}, {99, {2, 3}, "w.bin", "8", NULL, NULL, 0, 0},
		{8, {2, 3}, "w.bin", "8", "9", "bytes", 8, 9}, {1, {2, 3}, "../w.bin", "8", "24", NULL, 0, 0},
		{1, {2, 3}, ".", "8", "24", NULL, 0, 0}, {1, {2, 3}, "w.bin", "x", "24", NULL, 0, 0},
		{1, {INT64_MAX, INT64_MAX}, "w.bin", "0", NULL, NULL, 0, 0},
		{1, {INT64_MAX / 4, 1}, "w.bin", "9", NULL, NULL, 0, 0}};
	static const char *const goldens[] = {"onnx/external.onnx", "onnx/external-bad.onnx", "onnx/model.onnx"};
	struct made m = MADE_INIT;

	for (size_t i = 0; i < VV_COUNT(goldens); i++) {
		struct vv_elsewheres told;
		struct located l;
		CHECK_OK(located_golden(&l, __FILE__, goldens[i]), &l.err);
		CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &l.err), &l.err);
		CHECK_INT(told.n, i ? 0 : 3);
		if (!i) {
			CHECK(!strcmp(told.items[0].name, "plain") && !strcmp(told.items[0].file, "weights.bin"));
			CHECK(!told.items[0].off && told.items[0].len == 16 && told.items[0].dtype == VV_DT_F32);
			CHECK(!strcmp(told.items[1].file, "data/w..bin") && told.items[1].off == 4096);
			CHECK(told.items[1].ndim == 1 && told.items[1].shape[0] == 4);
		}
		vv_elsewheres_release(&told);
		located_release(&l);
	}
	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		const char *const entries[][2] = {{"location", rows[i].location}, {"offset", rows[i].offset}, {"length", rows[i].length}};
		struct vv_elsewheres told;
		struct located l;

		vv_buf_clear(&m.t);
		number(&m.t, 1, rows[i].dims[0]);
		number(&m.t, 1, rows[i].dims[1]);
		number(&m.t, 2, rows[i].type);
		words(&m.t, 8, "far");
		for (size_t k = 0; k < VV_COUNT(entries); k++) {
			vv_buf_clear(&m.sub);
			words(&m.sub, 1, entries[k][0]);
			words(&m.sub, 2, entries[k][1] ? entries[k][1] : "");
			if (entries[k][1])
				vv_pb_put_bytes(&m.t, 13, vv_buf_view(&m.sub));
		}
		number(&m.t, 14, 1);
		vv_buf_clear(&m.graph);
		vv_pb_put_bytes(&m.graph, 5, vv_buf_view(&m.t));
		CHECK_OK(located_bytes(&l, model(&m)), &l.err);
		CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &l.err), &l.err);
		CHECK_INT(told.n, rows[i].dtype != NULL);
		if (told.n) {
			CHECK_STR(told.items[0].name, "far");
			CHECK_STR(told.items[0].file, strchr(rows[i].location, 'a') ? "a/w.bin" : "w.bin");
			CHECK_STR(vv_dtype_info(told.items[0].dtype)->name, rows[i].dtype);
			CHECK(told.items[0].off == rows[i].off && told.items[0].len == rows[i].len && !told.items[0].suffix);
			CHECK_INT(told.items[0].ndim, strcmp(rows[i].dtype, "bytes") ? 2 : 0);
		}
		vv_elsewheres_release(&told);
		located_release(&l);
	}
	made_release(&m);
}

/* Graphs in attributes of nodes of graphs; sparse tensors are stepped over. */
static void test_depth(void)
{
	struct made m = MADE_INIT;
	struct vv_buf attribute = VV_BUF_INIT(VV_MAX_TEXT), node = VV_BUF_INIT(VV_MAX_TEXT);
	int depths[] = {1, 20, 21, 22, 3000};

	for (size_t i = 0; i < VV_COUNT(depths); i++) {
		tensor(&m.t, "w", 2, 3, "abc", 3);
		model_with(&m, &m.t);
		for (int k = 1; k < depths[i]; k++) {
			vv_buf_clear(&attribute);
			vv_pb_put_bytes(&attribute, k & 1 ? 6 : 11, vv_buf_view(&m.graph));
			vv_buf_clear(&node);
			vv_pb_put_bytes(&node, 5, vv_buf_view(&attribute));
			vv_buf_clear(&m.graph);
			vv_pb_put_bytes(&m.graph, 1, vv_buf_view(&node));
		}
		/* A graph is three messages; the innermost has a tensor. */
		if (depths[i] * 3 - 1 <= VV_PB_DEPTH)
			expect("graphs in graphs", model(&m), NULL, NULL, 1);
		else
			expect("too many", model(&m), "more than 64", "limit", 0);
	}
	tensor(&m.t, "w", 2, 3, "abc", 3);
	vv_buf_clear(&m.sub);
	vv_pb_put_bytes(&m.sub, 1, vv_buf_view(&m.t));
	vv_buf_clear(&m.graph);
	vv_pb_put_bytes(&m.graph, 15, vv_buf_view(&m.sub));
	expect("a sparse initializer", model(&m), NULL, NULL, 0);
	vv_buf_release(&attribute);
	vv_buf_release(&node);
	made_release(&m);
}

/* --- damage --- */

static void test_damage(void)
{
	static const char *const files[] = {"onnx/nested.onnx", "onnx/model.onnx", "onnx/external-bad.onnx"};
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;
	uint64_t seed = 7;
	int bad = 0, onnx = 0;

	for (size_t i = 0; i < VV_COUNT(files); i++) {
		vv_buf_clear(&b);
		golden_read(&b, __FILE__, files[i]);
		for (size_t n = 0; n < b.len; n++) {
			bad += located_bytes(&l, vv_span(b.ptr, n)) || layout_wrong(&l.layout);
			located_release(&l);
		}
		for (int k = 0; k < 5000; k++) {
			size_t at = (size_t)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 33) % b.len;
			uint8_t was = b.ptr[at];
			b.ptr[at] ^= (uint8_t)(1 << (seed >> 61));
			bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
			onnx += !strcmp(l.layout.format->name, "onnx");
			located_release(&l);
			b.ptr[at] = was;
		}
	}
	CHECK_INT(bad, 0);
	CHECK(onnx > 1000);
	vv_buf_release(&b);
}

/* A model of 40 GiB, of which only the headers are read; past 4 GiB by any count of 32 bits. */
enum { N_LARGE = 40 };
#define LARGE ((uint64_t)1 << 30)

struct large {
	struct vv_source base;
	uint64_t read;
	uint8_t head[64], each[64];
	size_t n_head, n_each;
};

static int large_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	struct large *s = (struct large *)(uintptr_t)self;

	(void)err;
	s->read += len;
	memset(dst, 0, len);
	for (size_t i = 0; i < len; i++) {
		uint64_t at = off + i, in = at < s->n_head ? 0 : (at - s->n_head) % (s->n_each + LARGE);
		if (at < s->n_head)
			((uint8_t *)dst)[i] = s->head[at];
		else if (in < s->n_each)
			((uint8_t *)dst)[i] = s->each[in];
	}
	return 0;
}

static void test_large(void)
{
	struct large s = {{0, large_read}, 0, {0}, {0}, 0, 0};
	struct vv_buf b = VV_BUF_INIT(64), t = VV_BUF_INIT(64);
	struct vv_err err = VV_ERR_INIT;
	struct vv_layout l;

	number(&t, 1, LARGE / 4);
	number(&t, 2, 1);
	words(&t, 8, "w");
	vv_pb_put_key(&t, 9, VV_PB_BYTES);
	vv_pb_put_varint(&t, LARGE);
	vv_pb_put_key(&b, 5, VV_PB_BYTES);
	vv_pb_put_varint(&b, t.len + LARGE);
	vv_buf_span(&b, vv_buf_view(&t));
	memcpy(s.each, b.ptr, s.n_each = b.len);
	vv_buf_clear(&b);
	number(&b, 1, 8);
	vv_pb_put_key(&b, 7, VV_PB_BYTES);
	vv_pb_put_varint(&b, N_LARGE * (s.n_each + LARGE));
	memcpy(s.head, b.ptr, s.n_head = b.len);
	s.base.size = s.n_head + N_LARGE * (s.n_each + LARGE);
	CHECK_OK(vv_layout_locate(&l, &s.base, &err), &err);
	CHECK_STR(l.format->name, "onnx");
	CHECK_INT(n_tensors(&l), N_LARGE);
	CHECK(!l.n_findings && !layout_wrong(&l));
	CHECK(l.n_segs && l.segs[l.n_segs - 1].off == s.base.size - LARGE && l.segs[l.n_segs - 1].len == LARGE);
	/* The look for a zip's end reads as well. */
	CHECK(s.read < (uint64_t)1 << 20);
	vv_layout_release(&l);
	vv_buf_release(&b);
	vv_buf_release(&t);
}

/* Many tensors of one node: each has its name, which stands there once. */
static void test_many_long_names(void)
{
	struct made m = MADE_INIT;
	char name[4001] = {0};

	memset(name, 'n', 4000);
	tensor(&m.t, "", 1, 1, "abcd", 4);
	words(&m.sub, 1, "value");
	for (int i = 0; i < 30000; i++)
		vv_pb_put_bytes(&m.sub, 10, vv_buf_view(&m.t));
	vv_buf_clear(&m.t);
	words(&m.t, 3, name);
	vv_pb_put_bytes(&m.t, 5, vv_buf_view(&m.sub));
	vv_pb_put_bytes(&m.graph, 1, vv_buf_view(&m.t));
	expect("names of 120 MB in all", model(&m), "names of more than 100000000 bytes", "limit", 0);
	made_release(&m);
}

int main(void)
{
	test_golden();
	test_probe();
	test_late();
	test_tensors();
	test_fields();
	test_names();
	test_many_long_names();
	test_external();
	test_elsewhere();
	test_depth();
	test_damage();
	test_large();
	return done();
}
