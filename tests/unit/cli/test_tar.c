#include "cli/tar.h"
#include "tap.h"

/* A header as git writes one: mode, name, size and checksum. */
static struct vv_tar_header header(const char *name, const char *size)
{
	struct vv_tar_header h;
	unsigned sum = 0;

	memset(&h, 0, sizeof(h));
	snprintf(h.name, sizeof(h.name), "%s", name);
	memcpy(h.mode, "0000664", 8);
	snprintf(h.size, sizeof(h.size), "%s", size);
	h.type = '0';
	memcpy(h.magic, "ustar", 6);
	memset(h.checksum, ' ', sizeof(h.checksum));
	for (size_t i = 0; i < sizeof(h); i++)
		sum += ((uint8_t *)&h)[i];
	snprintf(h.checksum, sizeof(h.checksum), "%07o", sum);
	return h;
}

static void parses(void)
{
	struct vv_tar_header h = header("a", "00000001750");
	uint64_t size = 0;

	CHECK(!vv_tar_parse(&h, &size));
	CHECK_INT(size, 1000);
	h.name[0] = 'b';
	CHECK(vv_tar_parse(&h, &size));
	h = header("a", "x");
	CHECK(vv_tar_parse(&h, &size));
	h = header("a", "00000000000");
	h.magic[0] = 'U';
	CHECK(vv_tar_parse(&h, &size));
	CHECK_INT(vv_tar_padding(0), 0);
	CHECK_INT(vv_tar_padding(1), 511);
	CHECK_INT(vv_tar_padding(512), 0);
}

static void pax(void)
{
	struct vv_span one = vv_span_str("17 path=a long p\n20 size=12345678901\n");
	struct vv_span two = vv_span_str("19 size=8589934592\n");
	struct vv_tar_header h = header("short", "00000000000");
	uint64_t size = 7;
	char *path = vv_tar_path(&h, one);

	CHECK(path && !strcmp(path, "a long p"));
	free(path);
	path = vv_tar_path(&h, two);
	CHECK(path && !strcmp(path, "short"));
	free(path);
	CHECK(vv_tar_pax_size(two, &size) && size == 8589934592u);
	size = 7;
	/* Records whose length lies, or is none, end the list. */
	CHECK(!vv_tar_pax_size(vv_span_str("99 size=8589934592\n"), &size));
	CHECK(!vv_tar_pax_size(vv_span_str("3 size=1\n"), &size));
	CHECK(!vv_tar_pax_size(vv_span_str("size=1\n"), &size));
	CHECK(!vv_tar_pax_size(vv_span_str("12 size=1x2\n"), &size));
	CHECK(!vv_tar_pax_size(vv_span(NULL, 0), &size));
	CHECK_INT(size, 7);
}

/* What emit wrote: one header, or a pax header before it. */
static void emits(void)
{
	struct vv_tar_header h = header("dir/m.safetensors", "00000001750"), got;
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	uint64_t size = 0, huge = 8589934591u;

	vv_tar_emit(&b, &h, vv_span(NULL, 0), huge, "id");
	CHECK_INT(b.len, VV_TAR_BLOCK);
	memcpy(&got, b.ptr, sizeof(got));
	CHECK(!vv_tar_parse(&got, &size) && size == huge);
	CHECK_STR(got.name, "dir/m.safetensors");
	vv_buf_clear(&b);

	vv_tar_emit(&b, &h, vv_span_str("17 path=a long p\n"), huge + 1, "id");
	CHECK_INT(b.len, 3 * VV_TAR_BLOCK);
	memcpy(&got, b.ptr, sizeof(got));
	CHECK(!vv_tar_parse(&got, &size) && got.type == 'x');
	CHECK_STR(got.name, "id.paxheader");
	struct vv_span records = vv_span(b.ptr + VV_TAR_BLOCK, (size_t)size);
	uint64_t told = 0;
	char *path = vv_tar_path(&got, records);
	CHECK(vv_tar_pax_size(records, &told) && told == huge + 1);
	CHECK(path && !strcmp(path, "a long p"));
	free(path);
	memcpy(&got, b.ptr + 2 * VV_TAR_BLOCK, sizeof(got));
	CHECK(!vv_tar_parse(&got, &size) && size == 0 && got.type == '0');
	vv_buf_release(&b);
}

int main(void)
{
	parses();
	pax();
	emits();
	return done();
}
