#include "format/inplace.h"

#include "layouts.h"
#include "tap.h"

static struct vv_err err;
static const uint64_t four[] = {4}, two[] = {2, 2}, half[] = {2};
/* "head", then a tensor that is seen twice, then one alone, then "tail". */
static const char file[] = "headABCDwxtail";
static const struct vv_view tied[] = {{"a", 1, four, NULL, 0}, {"a2", 2, two, NULL, 0}}, alone[] = {{"b", 1, half, NULL, 0}};
static struct vv_segment segs[] = {{0, 4, VV_DT_BYTES, 0, NULL}, {4, 4, VV_DT_U8, 2, tied}, {8, 2, VV_DT_I8, 1, alone},
	{10, 4, VV_DT_BYTES, 0, NULL}};

struct want {
	const char *name, *bytes;
	enum vv_dtype dt;
	unsigned ndim;
	const uint64_t *shape;
};

/* The file for these tensors, or what keeps it from being written. */
static void check(const struct want *want, size_t n, size_t room, const char *is)
{
	struct vv_format format = {.name = "test", .assemble = vv_inplace_assemble};
	struct vv_layout l = {.format = &format, .segs = segs, .n_segs = 4, .size = 14};
	struct vv_source_mem src, mem[4];
	struct vv_part parts[4];
	struct memsink out = MEMSINK_INIT;
	struct vv_assembly a = {&l, &src.base, parts, n};
	int ret;

	for (size_t i = 0; i < n; i++) {
		vv_source_mem_init(&mem[i], vv_span_str(want[i].bytes));
		parts[i] = (struct vv_part){want[i].name, want[i].dt, want[i].ndim, want[i].shape, mem[i].data.len, &mem[i].base};
	}
	vv_source_mem_init(&src, vv_span_str(file));
	out.room = room;
	ret = vv_assemble(&a, &out.base, &err);
	vv_buf_add(&out.bytes, "", 1);
	if (ret)
		CHECK(strstr(err.msg, is) != NULL);
	else
		CHECK_STR((const char *)out.bytes.ptr, is);
	CHECK_INT(ret, room ? VV_EIO : strncmp(is, "head", 4) != 0 ? VV_ENOTSUP : 0);
	vv_buf_release(&out.bytes);
}

int main(void)
{
	const struct want a = {"a", "1234", VV_DT_U8, 1, four}, a2 = {"a2", "1234", VV_DT_U8, 2, two},
			  other = {"a2", "1235", VV_DT_U8, 2, two}, b = {"b", "yz", VV_DT_I8, 1, half},
			  type = {"b", "yz", VV_DT_U8, 1, half}, shape = {"a2", "1234", VV_DT_U8, 1, four},
			  more = {"c", "yz", VV_DT_I8, 1, half};

	check((struct want[]){a, a2, b}, 3, 0, "head1234yztail");
	check((struct want[]){b, a2, a}, 3, 0, "head1234yztail");
	check((struct want[]){a, other, b}, 3, 0, "'a' and 'a2' are one in the file");
	check((struct want[]){a, b}, 2, 0, "'a2' is missing");
	check((struct want[]){a, shape, b}, 3, 0, "'a2' is missing, or of another");
	check((struct want[]){a, a2, type}, 3, 0, "'b' is missing, or of another");
	check((struct want[]){a, a2, b, more}, 4, 0, "no other tensors");
	check(NULL, 0, 0, "'a' is missing");
	check((struct want[]){a, a2, b}, 3, 5, "no room");
	return done();
}
