#include "base/le.h"
#include "format/zip.h"

#include "mkzip.h"
#include "tap.h"

#include <stdlib.h>

static struct vv_err err;

struct salvaged {
	struct vv_arena arena;
	struct vv_source_mem src;
	struct vv_zip z;
	bool all;
};

static void salvage(struct salvaged *s, struct vv_span bytes)
{
	*s = (struct salvaged){.all = false};
	vv_source_mem_init(&s->src, bytes);
	CHECK_OK(vv_zip_salvage(&s->z, &s->src.base, &s->arena, &s->all, &err), &err);
}

static bool has(const struct salvaged *s, const char *name, const char *text)
{
	struct vv_buf out = VV_BUF_INIT(1 << 20);
	bool ok = false, yes = false;

	for (size_t i = 0; i < s->z.n && !yes; i++) {
		vv_buf_clear(&out);
		yes = !strcmp(s->z.members[i].name, name) && !vv_zip_load(&s->src.base, &s->z.members[i], &out, &ok, &err) && ok &&
			vv_span_is(vv_buf_view(&out), text);
		vv_err_clear(&err);
	}
	vv_buf_release(&out);
	return yes;
}

/* What stands at the `nth` such signature, from there on. */
static uint8_t *at(struct vv_span bytes, uint32_t signature, int nth)
{
	for (size_t i = 0; i + 4 <= bytes.len; i++)
		if (vv_get32(bytes.ptr + i) == signature && !nth--)
			return (uint8_t *)(uintptr_t)bytes.ptr + i;
	abort();
}

/* Every member is found, whichever record lies. */
static void test_lies(void)
{
	static const struct {
		uint32_t signature;
		int nth;
		unsigned off;
		uint32_t value;
	} lies[] = {
		{0x06054b50, 0, 8, 0},           /* the end record counts none */
		{0x06054b50, 0, 12, 1},          /* a directory of one byte */
		{0x06054b50, 0, 16, 0x7fffffff}, /* past the end */
		{0x02014b50, 0, 8, 1},           /* encrypted, in the directory */
		{0x04034b50, 1, 26, 0},          /* no name, in the local header */
		{0x04034b50, 1, 8, 99},          /* another method there */
		{0x06064b50, 0, 32, 7},          /* zip64's count */
		{0x07064b50, 0, 8, 0xffffffff},  /* its place */
	};
	static const unsigned flags[] = {0, MKZIP_DEFLATE, MKZIP_LATE, MKZIP_WIDE | MKZIP_DIR64};

	for (size_t i = 0; i < VV_COUNT(lies); i++) {
		struct mkzip z = MKZIP_INIT;
		struct vv_span bytes;
		struct salvaged s;
		uint8_t *p;

		for (size_t k = 0; k < VV_COUNT(flags); k++)
			mkzip_add(&z, (const char *const[]){"a", "b", "c", "d"}[k], vv_span_str("some bytes"), flags[k]);
		bytes = mkzip_end(&z, true, "a comment");
		p = at(bytes, lies[i].signature, lies[i].nth) + lies[i].off;
		if (lies[i].off == 26)
			vv_put16(p, 0);
		else
			vv_put32(p, lies[i].value);
		salvage(&s, bytes);
		CHECK(s.all && s.z.n == VV_COUNT(flags) && has(&s, "a", "some bytes"));
		CHECK(has(&s, "c", "some bytes") && has(&s, "d", "some bytes"));
		/* Bytes begin behind the name that the local header has. */
		CHECK(has(&s, "b", lies[i].off == 26 ? "b" : "some bytes") == (lies[i].off != 26));
		vv_arena_release(&s.arena);
		mkzip_release(&z);
	}
}

/* Bytes before it, with something like a local header where its offsets lead. */
static void test_shifted(void)
{
	static const uint8_t zeros[60];
	struct mkzip z = MKZIP_INIT;
	struct vv_buf all = VV_BUF_INIT(1 << 20);
	struct salvaged s;

	mkzip_add(&z, "a", vv_span_str("some bytes"), 0);
	vv_buf_str(&all, "PK\3\4");
	vv_buf_add(&all, zeros, sizeof(zeros));
	vv_buf_span(&all, mkzip_end(&z, false, ""));
	salvage(&s, vv_buf_view(&all));
	CHECK_INT(s.z.n, 2);
	CHECK(has(&s, "a", "some bytes"));
	vv_arena_release(&s.arena);
	vv_buf_release(&all);
	mkzip_release(&z);
}

/* An entry is seen wherever it stands, also across the pieces that are read. */
static void test_places(void)
{
	enum { PIECE = 256 << 10 };
	int found = 0;

	for (unsigned i = 0; i < 100; i++) {
		struct mkzip z = MKZIP_INIT;
		struct vv_span big = vv_span(calloc(1, PIECE), PIECE - 130 + i);
		struct salvaged s;

		mkzip_add(&z, "big", big, 0);
		mkzip_add(&z, "a", vv_span_str("some bytes"), 0);
		salvage(&s, mkzip_end(&z, false, ""));
		found += s.all && s.z.n == 2 && has(&s, "a", "some bytes");
		vv_arena_release(&s.arena);
		mkzip_release(&z);
		free((void *)(uintptr_t)big.ptr);
	}
	CHECK_INT(found, 100);
}

/* Members that share bytes: not for ever. Nothing at all. */
static void test_ends(void)
{
	struct mkzip z = MKZIP_INIT;
	struct vv_buf all = VV_BUF_INIT(64 << 20);
	struct vv_span bytes;
	struct salvaged s;
	uint8_t entry[47];

	mkzip_add(&z, "a", vv_span_str("some bytes"), MKZIP_DEFLATE);
	bytes = mkzip_end(&z, false, "");
	vv_buf_span(&all, bytes);
	vv_put32(at(vv_buf_view(&all), 0x02014b50, 0) + 24, 1 << 20); /* each claims a MiB */
	memcpy(entry, at(vv_buf_view(&all), 0x02014b50, 0), sizeof(entry));
	for (int i = 0; i < 1000; i++)
		vv_buf_add(&all, entry, sizeof(entry));
	salvage(&s, vv_buf_view(&all));
	CHECK(!s.all && s.z.n > 200 && s.z.n < 300);
	vv_arena_release(&s.arena);
	salvage(&s, vv_span_str("PK\1\2"));
	CHECK(s.all && !s.z.n);
	vv_arena_release(&s.arena);
	salvage(&s, vv_span(NULL, 0));
	CHECK(s.all && !s.z.n);
	vv_arena_release(&s.arena);
	vv_buf_release(&all);
	mkzip_release(&z);
}

int main(void)
{
	test_lies();
	test_shifted();
	test_places();
	test_ends();
	return done();
}
