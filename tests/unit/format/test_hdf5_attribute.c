#include "format/hdf5.h"

#include "base/le.h"
#include "mkhdf5.h"
#include "tap.h"

static struct vv_err err;

struct file {
	struct mkh5 m;
	struct vv_source_mem mem;
	struct vv_arena arena;
	struct vv_hdf5 h;
};

/* A heap at 48: "int8", then at number 3 "bfloat16". */
static void open_file(struct file *f)
{
	*f = (struct file){.m = MKH5_INIT};
	mkh5_begin(&f->m);
	vv_buf_str(&f->m.out, "GCOL\1");
	vv_buf_le(&f->m.out, 0, 3);
	vv_buf_le(&f->m.out, 96, 8);
	vv_buf_le(&f->m.out, 1 | 1 << 16, 8);
	vv_buf_le(&f->m.out, 4, 8);
	vv_buf_add(&f->m.out, "int8\0\0\0", 8);
	vv_buf_le(&f->m.out, 3 | 1 << 16, 8);
	vv_buf_le(&f->m.out, 8, 8);
	vv_buf_str(&f->m.out, "bfloat16");
	vv_buf_le(&f->m.out, 0, 8);
	vv_buf_le(&f->m.out, 16, 8);
	for (int i = 0; i < 16; i++)
		vv_buf_char(&f->m.out, 0);
	vv_source_mem_init(&f->mem, vv_buf_view(&f->m.out));
	vv_hdf5_init(&f->h, &f->mem.base, 0, f->m.out.len, &f->arena);
}

static void close_file(struct file *f)
{
	vv_hdf5_release(&f->h);
	vv_arena_release(&f->arena);
	mkh5_release(&f->m);
}

/* -1: failed. */
static int says(struct file *f, struct vv_span body)
{
	bool is = false;

	return vv_hdf5_says_bf16(&f->h, body, &is, &err) ? -1 : is;
}

#define OLD "\1\0\6\0\x14\0\x8\0dtype\0\0\0\x19\1\1\0\x10\0\0\0\x10\0\0\0\1\0\0\0\0\0\x8\0\0\0\0\0\1\0\0\0\0\0\0\0"
#define NEW "\3\0\6\0\x8\0\4\0\1dtype\0\x19\1\1\0\x10\0\0\0\2\0\0\0"
#define AT "\x30\0\0\0\0\0\0\0"

int main(void)
{
	struct file f;

	open_file(&f);
	CHECK_INT(says(&f, MKH5_SPAN(OLD "\x8\0\0\0" AT "\3\0\0\0")), 1);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0" AT "\3\0\0\0")), 1);
	/* Another word, no such number, none at all, a length that is not its. */
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0" AT "\1\0\0\0")), 0);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0" AT "\2\0\0\0")), 0);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\3\0\0\0")), 0);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\7\0\0\0" AT "\3\0\0\0")), 0);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0" AT "\3\0\0")), 0);
	/* Past the end; no heap: what cannot be read says nothing. */
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0\xff\xff\0\0\0\0\0\0\3\0\0\0")), 0);
	CHECK_INT(err.code, 0);
	CHECK_INT(says(&f, MKH5_SPAN(NEW "\x8\0\0\0\x38\0\0\0\0\0\0\0\3\0\0\0")), 0);
	/* A string within the message, filled up or not. */
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x8\0\0\0\2\0\0\0bfloat16")), 1);
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x9\0\0\0\2\0\0\0bfloat16\0")), 1);
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x9\0\0\0\2\0\0\0bfloat16x")), 0);
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x9\0\0\0\2\0\0\0bfloat16")), 0);
	/* Another name, version or kind; shared; cut anywhere. */
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1atype\0\x13\0\0\0\x8\0\0\0\2\0\0\0bfloat16")), 0);
	CHECK_INT(says(&f, MKH5_SPAN("\4\0\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x8\0\0\0\2\0\0\0bfloat16")), 0);
	CHECK_INT(says(&f, MKH5_SPAN("\3\1\6\0\x8\0\4\0\1dtype\0\x13\0\0\0\x8\0\0\0\2\0\0\0bfloat16")), 0);
	CHECK_INT(says(&f, MKH5_SPAN("\3\0\6\0\x8\0\4\0\1dtype\0\x10\0\0\0\x8\0\0\0\2\0\0\0bfloat16")), 0);
	int other = 0;
	struct vv_span whole = MKH5_SPAN(OLD "\x8\0\0\0" AT "\3\0\0\0");
	for (size_t n = 0; n < whole.len; n++)
		other += says(&f, vv_span(whole.ptr, n)) != 0;
	CHECK_INT(other, 0);
	/* It is read once, and costs of the room for structures; without any left nothing is known. */
	uint64_t room = f.h.room;
	CHECK_INT(says(&f, whole), 1);
	CHECK_INT(f.h.room, room);
	f.h.room = 95;
	f.h.heap.len = 0;
	CHECK_INT(says(&f, whole), 0);
	close_file(&f);
	/* Objects that lead past the heap's end. */
	open_file(&f);
	vv_put64(f.m.out.ptr + 48 + 24, UINT64_MAX - 6);
	CHECK_INT(says(&f, whole), 0);
	close_file(&f);
	open_file(&f);
	vv_put64(f.m.out.ptr + 48 + 8, 97 + 48);
	CHECK_INT(says(&f, whole), 0);
	vv_put64(f.m.out.ptr + 48 + 8, 20);
	CHECK_INT(says(&f, whole), 0);
	close_file(&f);
	return done();
}
