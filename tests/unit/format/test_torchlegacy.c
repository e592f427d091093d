#define _GNU_SOURCE
/* PyTorch before 1.6: the golden files' tensors are checked by test_torchzip; here what may be wrong. */
#include "base/le.h"

#include "torchpkl.h"

/* The five pickles and one storage, "0", of two floats; `elements`: what its header says. */
static void make(struct vv_buf *b, const char *persid_tail, size_t tail_len, uint64_t elements, size_t data)
{
	static const uint8_t magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.',
		0x80, 2, 'M', 0xe9, 3, '.', 0x80, 2, '}', '.'};

	vv_buf_init(b, VV_MAX_TEXT);
	vv_buf_add(b, magic, sizeof(magic));
	/* {"w": _rebuild_tensor_v2(storage, 0, (2,), (1,), False, {})} */
	vv_buf_span(b, LIT("\x80\x02}X\1\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\7\0\0\0storagectorch\nFloatStorage\n"
		"X\1\0\0\0000X\3\0\0\0cpuK\2"));
	vv_buf_add(b, persid_tail, tail_len);
	vv_buf_span(b, LIT("tQK\0K\2\x85K\1\x85\x89}tRs."));
	vv_buf_span(b, LIT("\x80\x02]X\1\0\0\0000a."));
	vv_buf_le(b, elements, 8);
	for (size_t i = 0; i < data; i++)
		vv_buf_char(b, (char)i);
}

static void check(struct vv_buf *b, bool good)
{
	struct located l;
	size_t seg, view;

	CHECK_OK(located_bytes(&l, vv_buf_view(b)), &l.err);
	CHECK_STR(l.layout.format->name, good ? "torch-legacy" : "opaque");
	CHECK_INT(has_finding(&l.layout, "malformed"), !good);
	CHECK_INT(vv_layout_find(&l.layout, "w", &seg, &view), good);
	if (good) {
		CHECK_INT(l.layout.segs[seg].off, b->len - 8);
		CHECK_INT(l.layout.segs[seg].len, 8);
		CHECK_INT(l.layout.segs[seg].dtype, VV_DT_F32);
	}
	located_release(&l);
	vv_buf_release(b);
}

int main(void)
{
	struct vv_buf b;
	struct located l;
	int bad = 0;

	make(&b, "N", 1, 2, 8);
	check(&b, true);
	make(&b, "", 0, 2, 8); /* five items, as in archives */
	check(&b, true);
	make(&b, "K\1", 2, 2, 8); /* a view of another storage: before 0.4 */
	check(&b, false);
	make(&b, "N", 1, 3, 8);
	check(&b, false);
	make(&b, "N", 1, UINT64_MAX / 4 + 3, 8);
	check(&b, false);
	make(&b, "N", 1, 2, 7);
	check(&b, false);
	make(&b, "N", 1, 2, 9);
	check(&b, false);

	/* Cut anywhere, or one bit wrong: told, kept, and nothing worse. */
	make(&b, "N", 1, 2, 8);
	for (size_t n = 0; n < b.len; n++) {
		bad += located_bytes(&l, vv_span(b.ptr, n)) || layout_wrong(&l.layout) || vv_layout_find(&l.layout, "w", &(size_t){0}, &(size_t){0});
		located_release(&l);
	}
	for (size_t i = 0; i < b.len * 8; i++) {
		b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
		bad += located_bytes(&l, vv_buf_view(&b)) || layout_wrong(&l.layout);
		located_release(&l);
		b.ptr[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	CHECK_INT(bad, 0);

	/* What loading it would import is told, also when the rest is broken. */
	uint8_t *name = memmem(b.ptr, b.len, "_utils\n_rebuild", 15);
	CHECK(name != NULL);
	if (name)
		name[1] = 'x';
	CHECK_OK(located_bytes(&l, vv_buf_view(&b)), &l.err);
	CHECK(has_finding(&l.layout, "pickle-global"));
	located_release(&l);
	vv_buf_release(&b);
	return done();
}
