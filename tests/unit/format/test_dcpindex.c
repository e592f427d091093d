#include "format/formats.h"

#include "base/cursor.h"
#include "expected.h"
#include "pickles.h"

static struct vv_err err;

/* "name file off len" of each item, by lines. */
static void told_text(struct vv_buf *out, const struct vv_elsewheres *e)
{
	for (size_t i = 0; i < e->n; i++) {
		CHECK(e->items[i].within && !e->items[i].suffix && !e->items[i].ndim);
		vv_buf_fmt(out, "%s %s %" PRIu64 " %" PRIu64 "\n", e->items[i].name, e->items[i].file, e->items[i].off, e->items[i].len);
	}
	vv_buf_add(out, "", 1);
}

static void test_golden(void)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT), want = VV_BUF_INIT(VV_MAX_TEXT), table = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_elsewheres told;
	struct vv_span line;
	struct located l;

	golden_read(&table, __FILE__, "torch-dcp/named");
	for (struct vv_cursor c = vv_cursor(vv_buf_view(&table)); !vv_take_line(&c, &line);) {
		for (size_t i = 0, tabs = 0; i < line.len && (line.ptr[i] != '\t' || ++tabs < 4); i++)
			vv_buf_char(&want, line.ptr[i] == '\t' ? ' ' : (char)line.ptr[i]);
		vv_buf_char(&want, '\n');
	}
	vv_buf_add(&want, "", 1);
	CHECK_OK(located_golden(&l, __FILE__, "torch-dcp/whole/.metadata"), &l.err);
	CHECK_STR(l.layout.format->name, "torch-dcp-index");
	CHECK(!n_tensors(&l.layout) && !l.layout.n_findings && l.layout.n_segs == 1);
	CHECK_OK(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), &err);
	CHECK_INT(told.n, 4);
	told_text(&have, &told);
	CHECK_STR((char *)have.ptr, (char *)want.ptr);
	vv_elsewheres_release(&told);
	located_release(&l);
	vv_buf_release(&have);
	vv_buf_release(&want);
	vv_buf_release(&table);
}

/* --- pickles by hand --- */

#define META "ctorch.distributed.checkpoint.metadata\n"
#define OBJECT(class, state) META class "\n)\x81" "}(" state "ub"
#define SIZE(dims) "ctorch\nSize\n(" dims "t\x85" "R"
#define N(n) "K" n
#define KEY(name, offset, index) OBJECT("MetadataIndex", "Vfqn\nV" name "\nVoffset\n" offset "Vindex\n" index)
#define INFO(path, off, len) "ctorch.distributed.checkpoint.filesystem\n_StorageInfo\n)\x81" "}(Vrelative_path\nV" path \
	"\nVoffset\n" off "Vlength\n" len "ub"
#define CHUNK(offsets, sizes) OBJECT("ChunkStorageMetadata", "Voffsets\n" offsets "Vsizes\n" sizes)
#define TENSOR(size, chunks) OBJECT("TensorStorageMetadata", "Vsize\n" size "Vchunks\n](" chunks "e")
#define INDEX(tensors, places) \
	"\x80\x02" OBJECT("Metadata", "Vstate_dict_metadata\n}(" tensors "uVstorage_data\n}(" places "u") "."

/* w of [4,2] in two parts, and where they are. */
#define UPPER CHUNK(SIZE(N("\0") N("\0")), SIZE(N("\3") N("\2")))
#define LOWER CHUNK(SIZE(N("\3") N("\0")), SIZE(N("\1") N("\2")))
#define W "Vw\n" TENSOR(SIZE(N("\4") N("\2")), UPPER LOWER)
#define AT_UPPER SIZE(N("\0") N("\0"))
#define AT_LOWER SIZE(N("\3") N("\0"))
#define PLACE INFO("a.distcp", N("\5"), N("\7"))

/* What is told, or the code of a refusal; either way it is a pickle of this format. */
static void check_told(struct vv_span pickle, int code, const char *want)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_elsewheres told;
	struct located l;

	CHECK_OK(located_bytes(&l, pickle), &l.err);
	CHECK_STR(l.layout.format->name, "torch-dcp-index");
	CHECK(!has_finding(&l.layout, "malformed") && !has_finding(&l.layout, "limit"));
	vv_err_clear(&err);
	CHECK_INT(vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err), code);
	CHECK(!code || (err.msg[0] && !told.n));
	told_text(&have, &told);
	CHECK_STR((char *)have.ptr, want);
	vv_elsewheres_release(&told);
	located_release(&l);
	vv_buf_release(&have);
}

static void test_places(void)
{
	const struct {
		struct vv_span pickle;
		int code;
		const char *want;
	} rows[] = {
		/* Parts; a hint that is right, wrong, and none. */
		{LIT(INDEX(W, KEY("w", AT_UPPER, N("\0")) PLACE KEY("w", AT_LOWER, N("\1")) INFO("b", N("\0"), N("\1")))), 0,
			"w[0:3,:] a.distcp 5 7\nw[3:4,:] b 0 1\n"},
		{LIT(INDEX(W, KEY("w", AT_LOWER, N("\0")) PLACE)), 0, "w[3:4,:] a.distcp 5 7\n"},
		{LIT(INDEX(W, KEY("w", AT_LOWER, N("\x09")) PLACE)), 0, "w[3:4,:] a.distcp 5 7\n"},
		{LIT(INDEX(W, KEY("w", AT_LOWER, "N") PLACE)), 0, "w[3:4,:] a.distcp 5 7\n"},
		/* Whole: by its chunk, of no dimensions, and without an offset. */
		{LIT(INDEX("Vw\n" TENSOR(SIZE(N("\2")), CHUNK(SIZE(N("\0")), SIZE(N("\2")))), KEY("w", SIZE(N("\0")), "N") PLACE)), 0,
			"w a.distcp 5 7\n"},
		{LIT(INDEX("Vw\n" TENSOR(SIZE(), CHUNK(SIZE(), SIZE())), KEY("w", SIZE(), "N") PLACE)), 0, "w a.distcp 5 7\n"},
		{LIT(INDEX(W, KEY("w", "N", "N") PLACE)), 0, "w a.distcp 5 7\n"},
		/* Not a tensor; a name that stands twice; nothing at all. */
		{LIT(INDEX("Vw\n" OBJECT("BytesStorageMetadata", ""), KEY("w", "N", "N") PLACE)), 0, ""},
		{LIT(INDEX(W "Vw\nN", KEY("w", AT_UPPER, "N") PLACE)), 0, ""},
		{LIT(INDEX("Vw\nN" W, KEY("w", AT_UPPER, "N") PLACE KEY("w", AT_UPPER, "N") PLACE)), 0,
			"w[0:3,:] a.distcp 5 7\nw[0:3,:]~2 a.distcp 5 7\n"},
		{LIT(INDEX("", "")), 0, ""},
		/* No such part; one past the tensor; of other dimensions; no sizes; sizes that are no numbers. */
		{LIT(INDEX(W, KEY("w", SIZE(N("\1") N("\0")), "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX(W, KEY("w", SIZE(N("\0")), "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\n" TENSOR(SIZE(N("\4")), UPPER), KEY("w", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\n" TENSOR(SIZE(N("\2") N("\2")), UPPER), KEY("w", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\n" TENSOR("N", UPPER), KEY("w", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\n" TENSOR(SIZE("NN"), UPPER), KEY("w", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\n" TENSOR("ctorch\nSize\nN\x85" "R", UPPER), KEY("w", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		/* Keys and places that are none; a tensor that is not known; a name with a NUL; names that are no text. */
		{LIT(INDEX(W, "N" PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX(W, KEY("w", AT_UPPER, "N") "N")), VV_EFORMAT, ""},
		{LIT(INDEX(W, KEY("w", AT_UPPER, "N") INFO("a", "N", N("\1")))), VV_EFORMAT, ""},
		{LIT(INDEX(W, KEY("w", AT_UPPER, "N") INFO("a", N("\1"), "J\xff\xff\xff\xff"))), VV_EFORMAT, ""},
		{LIT(INDEX(W, KEY("v", AT_UPPER, "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("Vw\0\n" TENSOR(SIZE(), ""), KEY("w\0", "N", "N") PLACE)), VV_EFORMAT, ""},
		{LIT(INDEX("K\1N", "")), VV_EFORMAT, ""},
		{LIT("\x80\x02" OBJECT("Metadata", "Vstorage_data\n}") "."), VV_EFORMAT, ""},
		{LIT("\x80\x02" META "Metadata\n)\x81N" "b."), VV_EFORMAT, ""},
		{LIT("\x80\x02" META "Metadata\n)\x81}(V"), VV_EFORMAT, ""},
		/* Out of the folder. */
		{LIT(INDEX(W, KEY("w", AT_UPPER, "N") INFO("/etc/a", N("\0"), N("\1")) KEY("w", AT_LOWER, "N") PLACE)), 0,
			"w[3:4,:] a.distcp 5 7\n"},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++)
		check_told(rows[i].pickle, rows[i].code, rows[i].want);
}

static void test_findings(void)
{
	const struct {
		struct vv_span pickle;
		const char *code, *detail;
	} rows[] = {
		{LIT(INDEX(W, KEY("w", AT_UPPER, "N") INFO("../a", N("\0"), N("\1")))), "external-path",
			"tensor 'w' is in a path with .."},
		{LIT(INDEX(W, "cos\nsystem\n(Vls\nt" "R" PLACE)), "pickle-global", "os.system"},
		/* After the structure is lost, too. */
		{LIT("\x80\x02" META "Metadata\n)\x81" "0000cos\nsystem\n."), "pickle-global", "os.system"},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct located l;
		CHECK_OK(located_bytes(&l, rows[i].pickle), &l.err);
		CHECK_STR(l.layout.format->name, "torch-dcp-index");
		CHECK_INT(l.layout.n_findings, 1);
		CHECK_STR(l.layout.findings[0].code, rows[i].code);
		CHECK_STR(l.layout.findings[0].detail, rows[i].detail);
		located_release(&l);
	}
}

static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_source large = {.size = VV_MAX_PICKLE + 1ull};
	struct vv_elsewheres told;
	static char name[VV_MAX_NAME + 2];

	/* Names that are too long: the tensor's, that of a place, with its part, and the file's. */
	memset(name, 'n', sizeof(name) - 1);
	for (int i = 0; i < 4; i++) {
		name[VV_MAX_NAME] = i == 2 ? 0 : 'n';
		vv_buf_clear(&b);
		vv_buf_span(&b, LIT("\x80\x02" META "Metadata\n)\x81}(Vstate_dict_metadata\n}("));
		vv_buf_fmt(&b, "V%s\n", i == 0 || i == 2 ? name : "w");
		vv_buf_span(&b, LIT(TENSOR(SIZE(N("\4") N("\2")), UPPER) "uVstorage_data\n}("));
		vv_buf_fmt(&b, META "MetadataIndex\n)\x81}(Vfqn\nV%s\n", i == 1 || i == 2 ? name : "w");
		vv_buf_span(&b, LIT("Voffset\n" AT_UPPER "ub"));
		vv_buf_fmt(&b, META "X\n)\x81}(Vrelative_path\nV%s\n", i == 3 ? name : "w");
		vv_buf_span(&b, LIT("Voffset\nK\1Vlength\nK\1ubuub."));
		check_told(vv_buf_view(&b), VV_ELIMIT, "");
	}
	/* Keys without hints to a tensor of many chunks. */
	vv_buf_clear(&b);
	vv_buf_span(&b, LIT("\x80\x02" META "Metadata\n)\x81}(Vstate_dict_metadata\n}(Vw\n"));
	vv_buf_span(&b, LIT(META "T\n)\x81}(Vsize\n" SIZE("M\xff\xff") "Vchunks\n]("));
	for (unsigned i = 0; i < 3000; i++) {
		vv_buf_span(&b, LIT(META "C\n)\x81}(Voffsets\nctorch\nSize\n(M"));
		vv_buf_le(&b, i, 2);
		vv_buf_span(&b, LIT("t\x85RVsizes\n" SIZE("K\1") "ub"));
	}
	vv_buf_span(&b, LIT("eubuVstorage_data\n}("));
	for (unsigned i = 0; i < 3000; i++) {
		vv_buf_span(&b, LIT(META "K\n)\x81}(Vfqn\nVw\nVoffset\nctorch\nSize\n(M"));
		vv_buf_le(&b, 2999 - i, 2);
		vv_buf_span(&b, LIT("t\x85Rub" PLACE));
	}
	vv_buf_span(&b, LIT("uub."));
	check_told(vv_buf_view(&b), VV_ELIMIT, "");
	CHECK_STR(err.msg, "too many parts of tensors");
	CHECK_INT(vv_elsewhere_read(&vv_format_dcp_index, &large, &told, &err), VV_ELIMIT);
	vv_buf_release(&b);
}

static void test_probe(void)
{
	const struct {
		struct vv_span pickle;
		const char *format;
	} rows[] = {
		{LIT("\x80\x02" META "Metadata\nq\0)\x81."), "torch-dcp-index"},
		{LIT("\x80\x04\x95\x99\0\0\0\0\0\0\0\x8c\x25torch.distributed.checkpoint.metadata\x94\x8c\x08Metadata\x94\x93."),
			"torch-dcp-index"},
		{LIT("\x80\x02" META "Metadat\n)\x81."), "pickle"},
		{LIT("\x80\x02" "ctorch.distributed.checkpoint.metadata.x\nMetadata\n)\x81."), "pickle"},
		{LIT("\x80\x04\x95\x99\0\0\0\0\0\0\0\x8c\x08Metadata\x94\x8c\x01x\x94\x8c\x01x\x94\x93."), "pickle"},
		{LIT("\x80\x02}q\0" META "Metadata\n)\x81."), "pickle"},
		{LIT("\x80\x04\x8c\x01x\x94\x94\x94"), "pickle"},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct located l;
		CHECK_OK(located_bytes(&l, rows[i].pickle), &l.err);
		CHECK_STR(l.layout.format->name, rows[i].format);
		located_release(&l);
	}
}

int main(void)
{
	test_golden();
	test_places();
	test_findings();
	test_limits();
	test_probe();
	return done();
}
