#include "base/le.h"

#include "expected.h"
#include "sha256.h"

static struct vv_err err;

static void test_golden(void)
{
	static const char *const good[] = {"types.gguf", "quants.gguf", "model.gguf", "model-changed.gguf",
		"model-reshaped.gguf", "model-more.gguf", "model-fewer.gguf", "model-iq4.gguf", "plain.gguf", "plain-more.gguf",
		"none.gguf", "aligned.gguf", "aligned-more.gguf", "v2.gguf", "v2-more.gguf", "big-endian.gguf"};
	static const char *const bad[] = {"alignment-3.gguf", "version-1.gguf", "truncated.gguf", "twice.gguf"};

	for (size_t i = 0; i < VV_COUNT(good); i++)
		check_golden(__FILE__, "gguf", good[i], "gguf");
	for (size_t i = 0; i < VV_COUNT(bad); i++)
		check_golden(__FILE__, "gguf", bad[i], "opaque");
}

/* The bytes that the package's reader has for each tensor. */
static void test_sums(void)
{
	static const char *const files[] = {"types.gguf", "quants.gguf", "model.gguf", "aligned.gguf", "v2.gguf"};
	struct vv_buf table = VV_BUF_INIT(VV_MAX_TEXT), line = VV_BUF_INIT(VV_MAX_TEXT);
	char path[64], hex[65];
	struct located l;
	int n = 0, bad = 0;

	golden_read(&table, __FILE__, "gguf/sums");
	vv_buf_char(&table, 0);
	for (size_t f = 0; f < VV_COUNT(files); f++) {
		snprintf(path, sizeof(path), "gguf/%s", files[f]);
		CHECK_OK(located_golden(&l, __FILE__, path), &l.err);
		for (size_t i = 0; i < l.layout.n_segs; i++) {
			const struct vv_segment *s = &l.layout.segs[i];
			if (!s->n_views || strchr(s->views->name, '\n'))
				continue;
			vv_buf_clear(&line);
			vv_buf_fmt(&line, "%s\t%s\t%s\n", files[f], s->views->name,
				sha256_hex(vv_span(l.file.ptr + s->off, (size_t)s->len), hex));
			bad += !strstr((const char *)table.ptr, (const char *)line.ptr);
			n++;
		}
		located_release(&l);
	}
	CHECK_INT(n, 10 + 26 + 5 + 3 + 3);
	CHECK_INT(bad, 0);
	vv_buf_release(&table);
	vv_buf_release(&line);
}

/* Between files of the same metadata: what the package wrote. */
static void test_becomes(void)
{
	static const char *const sets[][6] = {
		{"model.gguf", "model-changed.gguf", "model-reshaped.gguf", "model-more.gguf"},
		{"plain.gguf", "plain-more.gguf", "none.gguf"},
		{"aligned.gguf", "aligned-more.gguf"},
		{"v2.gguf", "v2-more.gguf"},
	};
	char a[64], b[64];

	for (size_t s = 0; s < VV_COUNT(sets); s++)
		for (size_t i = 0; sets[s][i]; i++)
			for (size_t k = 0; sets[s][k]; k++) {
				snprintf(a, sizeof(a), "gguf/%s", sets[s][i]);
				snprintf(b, sizeof(b), "gguf/%s", sets[s][k]);
				check_becomes(__FILE__, a, b);
			}
	/* A quantised tensor can go, but not come. */
	check_becomes(__FILE__, "gguf/model.gguf", "gguf/model-fewer.gguf");
	check_becomes(__FILE__, "gguf/model-iq4.gguf", "gguf/model-iq4.gguf");
	check_becomes(__FILE__, "gguf/model.gguf", "gguf/plain.gguf");
}

/* --- a file whose numbers can be made to lie --- */

enum { VERSION, N_TENSORS, N_PAIRS, KEY_LEN, TYPE, TEXT_LEN, TEXTS_TYPE, TEXTS_N, TEXT0_LEN, NEST_TYPE, NEST_N,
	INNER_TYPE, INNER_N, ALIGN_KEY, ALIGN_TYPE, ALIGN, W_NAME, W_LEN, W_NDIM, W_NE0, W_NE1, W_TYPE, W_OFF, V_LEN,
	V_NAME, V_NE0, V_TYPE, V_OFF, MARKS };
enum { DATA_END = 96 + 16 };

struct file {
	struct vv_buf b;
	size_t at[MARKS], data;
};

static void number(struct file *f, int mark, uint64_t v, unsigned width)
{
	f->at[mark] = f->b.len;
	vv_buf_le(&f->b, v, width);
}

static void text(struct file *f, int mark, const char *s)
{
	number(f, mark, strlen(s), 8);
	vv_buf_str(&f->b, s);
}

static void make(struct file *f)
{
	*f = (struct file){.b = VV_BUF_INIT(VV_MAX_TEXT)};
	vv_buf_str(&f->b, "GGUF");
	number(f, VERSION, 3, 4);
	number(f, N_TENSORS, 2, 8);
	number(f, N_PAIRS, 4, 8);
	text(f, KEY_LEN, "text");
	number(f, TYPE, 8, 4);
	text(f, TEXT_LEN, "value");
	text(f, V_LEN, "texts");
	number(f, V_TYPE, 9, 4);
	number(f, TEXTS_TYPE, 8, 4);
	number(f, TEXTS_N, 1, 8);
	text(f, TEXT0_LEN, "x");
	text(f, V_LEN, "nested");
	number(f, V_TYPE, 9, 4);
	number(f, NEST_TYPE, 9, 4);
	number(f, NEST_N, 1, 8);
	number(f, INNER_TYPE, 5, 4);
	number(f, INNER_N, 2, 8);
	vv_buf_le(&f->b, 7, 8);
	text(f, ALIGN_KEY, "general.alignment");
	number(f, ALIGN_TYPE, 4, 4);
	number(f, ALIGN, 32, 4);
	text(f, W_LEN, "w");
	f->at[W_NAME] = f->b.len - 1;
	number(f, W_NDIM, 2, 4);
	number(f, W_NE0, 32, 8);
	number(f, W_NE1, 2, 8);
	number(f, W_TYPE, 8, 4);
	number(f, W_OFF, 0, 8);
	text(f, V_LEN, "v");
	f->at[V_NAME] = f->b.len - 1;
	vv_buf_le(&f->b, 1, 4);
	number(f, V_NE0, 4, 8);
	number(f, V_TYPE, 0, 4);
	number(f, V_OFF, 96, 8);
	while (f->b.len % 32)
		vv_buf_char(&f->b, 0);
	f->data = f->b.len;
	for (int i = 0; i < 128; i++)
		vv_buf_char(&f->b, (char)(i < DATA_END ? i : 0));
}

static void test_made(void)
{
	struct file f;
	struct located l;
	size_t seg, view;

	make(&f);
	CHECK_OK(located_bytes(&l, vv_buf_view(&f.b)), &l.err);
	CHECK_STR(l.layout.format->name, "gguf");
	CHECK_INT(l.layout.n_findings, 0);
	CHECK_INT(n_tensors(&l.layout), 2);
	CHECK(vv_layout_find(&l.layout, "w", &seg, &view));
	CHECK_INT(l.layout.segs[seg].off, f.data);
	CHECK_INT(l.layout.segs[seg].len, 68);
	CHECK_INT(l.layout.segs[seg].dtype, VV_DT_U8);
	CHECK_INT(l.layout.segs[seg].views->shape[0], 2);
	CHECK_INT(l.layout.segs[seg].views->shape[2], 34);
	CHECK(vv_layout_find(&l.layout, "v", &seg, &view));
	CHECK_INT(l.layout.segs[seg].off, f.data + 96);
	CHECK_INT(l.layout.segs[seg].dtype, VV_DT_F32);
	located_release(&l);
	vv_buf_release(&f.b);
}

/* A number of the file, what it is made to be, and a part of the finding's words (NULL: still sound). */
static const struct {
	const char *what;
	int mark;
	unsigned width;
	uint64_t v;
	const char *says;
} lies[] = {
	/* M27: counts. */
	{"2^61 tensors", N_TENSORS, 8, (uint64_t)1 << 61, "at offset 8"},
	{"2^62 pairs", N_PAIRS, 8, (uint64_t)1 << 62, "at offset 8"},
	{"more tensors than bytes", N_TENSORS, 8, 100, "at offset 8"},
	{"a tensor more", N_TENSORS, 8, 3, ""},
	{"a tensor less", N_TENSORS, 8, 1, NULL},
	{"no tensors", N_TENSORS, 8, 0, NULL},
	{"a pair more", N_PAIRS, 8, 5, ""},
	{"a pair less", N_PAIRS, 8, 3, "tensor 'general.alignment': type"},
	{"a key of 2^63 bytes", KEY_LEN, 8, (uint64_t)1 << 63, "past the end"},
	{"a key of all bytes", KEY_LEN, 8, UINT64_MAX, "past the end"},
	{"a text of 2^63 bytes", TEXT_LEN, 8, (uint64_t)1 << 63, "past the end"},
	{"a text in an array of 2^64-1 bytes", TEXT0_LEN, 8, UINT64_MAX, "past the end"},
	{"2^60 texts", TEXTS_N, 8, (uint64_t)1 << 60, "past the end"},
	{"2^62 arrays", NEST_N, 8, (uint64_t)1 << 62, ""},
	{"2^63 numbers", INNER_N, 8, (uint64_t)1 << 63, "an array of 9223372036854775808 values"},
	{"2^61 numbers", INNER_N, 8, (uint64_t)1 << 61, "past the end"},
	{"a value of type 13", TYPE, 4, 13, "a value of type 13 at offset 40"},
	{"an array of type 13", TEXTS_TYPE, 4, 13, "an array of type 13"},
	{"an inner array of type 2^32-1", INNER_TYPE, 4, UINT32_MAX, "an array of type 4294967295"},
	{"a text that is an array", TYPE, 4, 9, "an array of"},
	{"a name of 2^63 bytes", W_LEN, 8, (uint64_t)1 << 63, "past the end"},
	/* M28: alignment, places, names, types. */
	{"alignment 0", ALIGN, 4, 0, "an alignment of 0"},
	{"alignment 3", ALIGN, 4, 3, "an alignment of 3"},
	{"alignment 48", ALIGN, 4, 48, "an alignment of 48"},
	{"alignment 2^31", ALIGN, 4, (uint64_t)1 << 31, "an alignment of 2147483648"},
	{"alignment 16", ALIGN, 4, 16, NULL},
	{"alignment 64", ALIGN, 4, 64, "no multiple"},
	{"alignment of another type", ALIGN_TYPE, 4, 5, "an alignment of type 5"},
	{"an offset between", V_OFF, 8, 97, "no multiple"},
	{"an offset past the end", V_OFF, 8, 1 << 20, "past the end"},
	{"an offset that wraps", V_OFF, 8, UINT64_MAX - 31, "past the end"},
	{"the end of a tensor past the end", V_NE0, 8, 9, "past the end"},
	{"a tensor up to the end", V_NE0, 8, 8, NULL},
	{"a tensor on another", V_OFF, 8, 64, "overlaps"},
	{"a tensor in another", V_OFF, 8, 0, "overlaps"},
	{"an empty tensor in another", V_NE0, 8, 0, NULL},
	{"a name twice", V_NAME, 1, 'w', "'w' stands twice"},
	{"a name of NUL", V_NAME, 1, 0, "a NUL"},
	{"type 255", V_TYPE, 4, 255, "tensor 'v': type 255"},
	{"type 2^32-1", V_TYPE, 4, UINT32_MAX, "tensor 'v': type 4294967295"},
	{"a type that was taken back", V_TYPE, 4, 4, "tensor 'v': type 4"},
	{"the first type not known", V_TYPE, 4, 42, "tensor 'v': type 42"},
	/* M26: shapes. */
	{"rows that are no blocks", W_NE0, 8, 33, "blocks of 32"},
	{"an empty row", W_NE0, 8, 0, NULL},
	{"rows of 2^64-32", W_NE0, 8, UINT64_MAX - 31, "a shape too large"},
	{"2^63 rows", W_NE1, 8, (uint64_t)1 << 63, "a shape too large"},
	{"2^62 numbers", V_NE0, 8, (uint64_t)1 << 62, "a shape too large"},
	{"9 dimensions", W_NDIM, 4, 9, "9 dimensions"},
	{"2^32-1 dimensions", W_NDIM, 4, UINT32_MAX, "dimensions"},
	{"no dimension", W_NDIM, 4, 0, "tensor 'w': type 32"},
	/* Versions. */
	{"version 0", VERSION, 4, 0, "version 0 at offset 4"},
	{"version 1", VERSION, 4, 1, "version 1 at offset 4"},
	{"version 2", VERSION, 4, 2, NULL},
	{"version 4", VERSION, 4, 4, "version 4 at offset 4"},
};

static void test_lies(void)
{
	struct located l;
	struct file f;

	for (size_t i = 0; i < VV_COUNT(lies); i++) {
		const char *detail = "";
		bool ok;

		make(&f);
		for (unsigned k = 0; k < lies[i].width; k++)
			f.b.ptr[f.at[lies[i].mark] + k] = (uint8_t)(lies[i].v >> (8 * k));
		ok = !located_bytes(&l, vv_buf_view(&f.b)) && !layout_wrong(&l.layout);
		if (l.layout.n_findings)
			detail = l.layout.findings[l.layout.n_findings - 1].detail;
		if (lies[i].says)
			ok &= (has_finding(&l.layout, "malformed") || has_finding(&l.layout, "limit")) &&
				strstr(detail, lies[i].says) && !strcmp(l.layout.format->name, "opaque") && l.layout.n_segs == 1;
		else
			ok &= !l.layout.n_findings && !strcmp(l.layout.format->name, "gguf");
		ok &= has_finding(&l.layout, "unknown-dtype") == (lies[i].says && strstr(lies[i].says, "': type"));
		tap_ok(ok, lies[i].what, __FILE__, __LINE__);
		if (!ok)
			printf("# %s\n", detail);
		located_release(&l);
		vv_buf_release(&f.b);
	}
}

/* Cut anywhere a file is opaque, until its tensors are whole; then only padding is missing. */
static void test_cut(void)
{
	struct located l;
	struct file f;
	int bad = 0;

	make(&f);
	for (size_t n = 0; n < f.b.len; n++) {
		bad += located_bytes(&l, vv_span(f.b.ptr, n)) || layout_wrong(&l.layout) ||
			strcmp(l.layout.format->name, n < f.data + DATA_END ? "opaque" : "gguf");
		bad += n >= 8 && has_finding(&l.layout, "malformed") != (n < f.data + DATA_END);
		located_release(&l);
	}
	CHECK_INT(bad, 0);
	vv_buf_release(&f.b);
}

/* Whatever bytes change: a sound layout, and a file that is read is written as it was. */
static void test_flips(void)
{
	static const char *const files[] = {"gguf/types.gguf", "gguf/model.gguf", "gguf/aligned.gguf"};
	uint32_t seed = 1;
	int bad = 0, opaque = 0;

	for (size_t i = 0; i < VV_COUNT(files); i++)
		for (int round = 0; round < 3000; round++) {
			struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
			struct memsink out = MEMSINK_INIT;
			struct located l;

			golden_read(&b, __FILE__, files[i]);
			for (int k = 0; k <= round % 3; k++) {
				seed = seed * 1664525 + 1013904223;
				b.ptr[(seed >> 8) % (i ? 448 : b.len)] ^= (uint8_t)(1 << (seed >> 29));
			}
			bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
			opaque += !strcmp(l.layout.format->name, "opaque");
			if (l.layout.format->assemble && n_tensors(&l.layout))
				bad += reassemble(&out, &l, &l, &err) || !vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&l.file));
			located_release(&l);
			vv_buf_release(&b);
			vv_buf_release(&out.bytes);
		}
	CHECK_INT(bad, 0);
	CHECK(opaque > 1000);
}

/* --- limits --- */

/* A head with one pair, whose key is yet to come. */
static void begin(struct vv_buf *b, uint64_t tensors, uint64_t pairs)
{
	vv_buf_clear(b);
	vv_buf_str(b, "GGUF");
	vv_buf_le(b, 3, 4);
	vv_buf_le(b, tensors, 8);
	vv_buf_le(b, pairs, 8);
}

static void name(struct vv_buf *b, size_t n)
{
	vv_buf_le(b, n, 8);
	while (n--)
		vv_buf_char(b, 'n');
}

static bool is_limited(struct vv_buf *b)
{
	struct located l;
	bool limited;

	CHECK_OK(located_bytes(&l, vv_buf_view(b)), &l.err);
	limited = has_finding(&l.layout, "limit");
	CHECK_STR(l.layout.format->name, limited ? "opaque" : "gguf");
	located_release(&l);
	return limited;
}

static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	for (size_t extra = 0; extra < 2; extra++) {
		/* Arrays in arrays. */
		begin(&b, 0, 1);
		name(&b, 1);
		vv_buf_le(&b, 9, 4);
		for (size_t i = 0; i < 15 + extra; i++) {
			vv_buf_le(&b, 9, 4);
			vv_buf_le(&b, 1, 8);
		}
		vv_buf_le(&b, 7, 4);
		vv_buf_le(&b, 0, 8);
		CHECK_INT(is_limited(&b), extra);
		begin(&b, 0, 1);
		name(&b, 65535 + extra);
		vv_buf_le(&b, 7, 4);
		vv_buf_le(&b, 0, 1);
		CHECK_INT(is_limited(&b), extra);
		begin(&b, 1, 0);
		name(&b, VV_MAX_NAME + extra);
		vv_buf_le(&b, 0, 4);
		vv_buf_le(&b, 0, 4);
		vv_buf_le(&b, 0, 8);
		while (b.len % 32)
			vv_buf_char(&b, 0);
		vv_buf_le(&b, 0, 4);
		CHECK_INT(is_limited(&b), extra);
	}
	/* A pair that stands twice. */
	begin(&b, 0, 2);
	for (int i = 0; i < 2; i++) {
		name(&b, 3);
		vv_buf_le(&b, 7, 4);
		vv_buf_char(&b, 1);
	}
	struct located l;
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "malformed") && strstr(l.layout.findings[0].detail, "'nnn' stands twice"));
	located_release(&l);
	/* A quantised number alone has no row. */
	begin(&b, 1, 0);
	name(&b, 1);
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, 2, 4);
	vv_buf_le(&b, 0, 8);
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "malformed") && strstr(l.layout.findings[0].detail, "blocks of 32"));
	located_release(&l);
	vv_buf_release(&b);
}

/* Many arrays, each of none, and 100,000 tensors: time is linear. */
static void test_many(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct located l;

	begin(&b, 100000, 1);
	name(&b, 1);
	vv_buf_le(&b, 9, 4);
	vv_buf_le(&b, 9, 4);
	vv_buf_le(&b, 100000, 8);
	for (int i = 0; i < 100000; i++) {
		vv_buf_le(&b, 8, 4);
		vv_buf_le(&b, 0, 8);
	}
	for (int i = 0; i < 100000; i++) {
		char t[32];
		vv_buf_le(&b, (uint64_t)snprintf(t, sizeof(t), "layer.%d.w", i), 8);
		vv_buf_str(&b, t);
		vv_buf_le(&b, 1, 4);
		vv_buf_le(&b, 1, 8);
		vv_buf_le(&b, 24, 4);
		vv_buf_le(&b, (uint64_t)i * 32, 8);
	}
	while (b.len % 32)
		vv_buf_char(&b, 0);
	memset(vv_buf_reserve(&b, 3200000), 1, 3200000);
	b.len += 3200000;
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK_INT(n_tensors(&l.layout), 100000);
	CHECK_STR(l.layout.segs[l.layout.n_segs - 2].views->name, "layer.99999.w");
	located_release(&l);
	vv_buf_release(&b);
}

/* Zeros behind some bytes: a file larger than memory. */
struct vast {
	struct vv_source base;
	struct vv_span head;
	uint64_t *read;
};

static int vast_read(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *e)
{
	const struct vast *v = (const struct vast *)self;
	size_t n = off < v->head.len ? v->head.len - (size_t)off : 0;

	(void)e;
	n = n < len ? n : len;
	memset(dst, 0, len);
	if (n)
		memcpy(dst, v->head.ptr + off, n);
	*v->read += len;
	return 0;
}

static void test_vast(void)
{
	enum { TEXTS = 200000 };
	const uint64_t size = (uint64_t)10 << 30;
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_layout l;
	uint64_t read = 0;

	begin(&b, 1, 1);
	name(&b, 6);
	vv_buf_le(&b, 9, 4);
	vv_buf_le(&b, 8, 4);
	vv_buf_le(&b, TEXTS, 8);
	for (int i = 0; i < TEXTS; i++)
		name(&b, (size_t)i % 11);
	name(&b, 5);
	vv_buf_le(&b, 1, 4);
	vv_buf_le(&b, (uint64_t)2 << 30, 8);
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, 0, 8);
	struct vast v = {{size, vast_read}, vv_buf_view(&b), &read};
	CHECK_OK(vv_layout_locate(&l, &v.base, &err), &err);
	CHECK_STR(l.format->name, "gguf");
	CHECK_INT(n_tensors(&l), 1);
	CHECK(read < size / 1000);
	vv_layout_release(&l);
	/* A header that goes on and on. */
	begin(&b, 0, 1);
	name(&b, 6);
	vv_buf_le(&b, 9, 4);
	vv_buf_le(&b, 0, 4);
	vv_buf_le(&b, VV_MAX_HEADER, 8);
	v.head = vv_buf_view(&b);
	CHECK_OK(vv_layout_locate(&l, &v.base, &err), &err);
	CHECK_STR(l.format->name, "opaque");
	CHECK_STR(l.findings[0].code, "limit");
	vv_layout_release(&l);
	/* Counts that such a file could hold are refused before anything is read. */
	for (int i = 0; i < 2; i++) {
		begin(&b, i ? 0 : VV_MAX_TENSORS + 1, i ? 65537 : 0);
		v.head = vv_buf_view(&b);
		read = 0;
		CHECK_OK(vv_layout_locate(&l, &v.base, &err), &err);
		CHECK_STR(l.findings[0].code, "limit");
		CHECK(read < 1 << 20);
		vv_layout_release(&l);
	}
	vv_buf_release(&b);
}

/* --- writing --- */

/* The file with these tensors; the caller releases `out`. */
static int written(struct memsink *out, const char *path, const struct vv_part *parts, size_t n)
{
	struct located l;
	int ret;

	if (located_golden(&l, __FILE__, path))
		abort();
	struct vv_assembly a = {&l.layout, &l.mem.base, parts, n};
	err = (struct vv_err)VV_ERR_INIT;
	ret = vv_assemble(&a, &out->base, &err);
	located_release(&l);
	return ret;
}

static void refused(const char *path, const struct vv_part *parts, size_t n, const char *says)
{
	struct memsink out = MEMSINK_INIT;

	CHECK_INT(written(&out, path, parts, n), VV_ENOTSUP);
	tap_ok(!!strstr(err.msg, says), says, __FILE__, __LINE__);
	CHECK_INT(out.bytes.len, 0);
	vv_buf_release(&out.bytes);
}

static void test_refused(void)
{
	static const uint64_t bytes[] = {3, 18}, other[] = {18, 3}, five[] = {1, 1, 1, 1, 2};
	static const uint8_t zeros[64];
	struct vv_source_mem m;
	struct vv_part p = {"blk.0.weight", VV_DT_U8, 2, bytes, 54, &m.base};

	vv_source_mem_init(&m, vv_span(zeros, 54));
	refused("gguf/plain.gguf", &p, 1, "no quantised tensor of that name and shape");
	p.shape = other;
	refused("gguf/model.gguf", &p, 1, "no quantised tensor of that name and shape");
	p = (struct vv_part){"new", VV_DT_U8, 2, bytes, 54, &m.base};
	refused("gguf/model.gguf", &p, 1, "no quantised tensor of that name and shape");
	/* A name that is there, of a tensor that is not quantised. */
	p = (struct vv_part){"blk.0.norm", VV_DT_U8, 1, bytes + 1, 18, &m.base};
	vv_source_mem_init(&m, vv_span(zeros, 18));
	refused("gguf/model.gguf", &p, 1, "no quantised tensor of that name and shape");
	p.dtype = VV_DT_U16;
	p.len = 36;
	vv_source_mem_init(&m, vv_span(zeros, 36));
	refused("gguf/model.gguf", &p, 1, "GGUF has no type u16");
	p = (struct vv_part){"five", VV_DT_F32, 5, five, 8, &m.base};
	vv_source_mem_init(&m, vv_span(zeros, 8));
	refused("gguf/plain.gguf", &p, 1, "GGUF has 4 dimensions");
	refused("gguf/big-endian.gguf", NULL, 0, "other byte order");
	/* What a type was is in no tensor-less file. */
	refused("gguf/model.gguf", NULL, 0, "how they were quantised");
}

/* Another order is another set, and each tensor keeps its ggml type. */
static void test_order(void)
{
	struct memsink out = MEMSINK_INIT, back = MEMSINK_INIT;
	struct vv_part turned[5];
	struct located l, m;
	struct parts p;

	CHECK_OK(located_golden(&l, __FILE__, "gguf/model.gguf"), &l.err);
	CHECK_INT(parts_of(&p, &l.layout, l.file.ptr), 0);
	CHECK_INT(p.n, 5);
	for (size_t i = 0; i < 5; i++)
		turned[i] = p.p[4 - i];
	struct vv_assembly a = {&l.layout, &l.mem.base, turned, 5};
	CHECK_OK(vv_assemble(&a, &out.base, &err), &err);
	CHECK_OK(located_bytes(&m, vv_buf_view(&out.bytes)), &m.err);
	CHECK_STR(m.layout.segs[1].views->name, "output.weight");
	/* Turned again it is the first file: types and all. */
	struct vv_assembly again = {&m.layout, &m.mem.base, p.p, 5};
	CHECK_OK(vv_assemble(&again, &back.base, &err), &err);
	CHECK(vv_span_eq(vv_buf_view(&back.bytes), vv_buf_view(&l.file)));
	CHECK(!vv_span_eq(vv_buf_view(&out.bytes), vv_buf_view(&l.file)));
	parts_release(&p);
	located_release(&l);
	located_release(&m);
	vv_buf_release(&out.bytes);
	vv_buf_release(&back.bytes);
}

/* Two types with the same blocks: their shapes differ, so neither is taken for the other. */
static void test_twins(void)
{
	struct memsink out = MEMSINK_INIT;
	struct located q4, iq4;

	CHECK_OK(located_golden(&q4, __FILE__, "gguf/model.gguf"), &q4.err);
	CHECK_OK(located_golden(&iq4, __FILE__, "gguf/model-iq4.gguf"), &iq4.err);
	CHECK_INT(reassemble(&out, &q4, &iq4, &err), VV_ENOTSUP);
	CHECK(strstr(err.msg, "no quantised tensor of that name and shape"));
	CHECK_INT(reassemble(&out, &iq4, &q4, &err), VV_ENOTSUP);
	located_release(&q4);
	located_release(&iq4);
	vv_buf_release(&out.bytes);
}

/* A sink that fails fails the writing, wherever. */
static void test_no_room(void)
{
	static const char *const donors[] = {"gguf/model.gguf", "gguf/model-more.gguf"};
	struct located frame, donor;
	int bad = 0;

	CHECK_OK(located_golden(&frame, __FILE__, "gguf/model.gguf"), &frame.err);
	for (size_t i = 0; i < VV_COUNT(donors); i++) {
		CHECK_OK(located_golden(&donor, __FILE__, donors[i]), &donor.err);
		for (size_t room = 1; room < donor.file.len; room++) {
			struct memsink out = MEMSINK_INIT;
			out.room = room;
			bad += reassemble(&out, &frame, &donor, &err) != VV_EIO;
			vv_buf_release(&out.bytes);
		}
		located_release(&donor);
	}
	CHECK_INT(bad, 0);
	located_release(&frame);
}

int main(void)
{
	test_golden();
	test_sums();
	test_becomes();
	test_made();
	test_lies();
	test_cut();
	test_flips();
	test_limits();
	test_many();
	test_vast();
	test_refused();
	test_order();
	test_twins();
	test_no_room();
	return done();
}
