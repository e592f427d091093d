/* One tensor's values: a NumPy array file, or the bare bytes. */
#include "cli/cli.h"

#include "base/check.h"
#include "cli/bytes.h"
#include "cli/outfile.h"
#include "cli/whole.h"
#include "model/model.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { PIECE = 1 << 20, NPY_HEAD = 512, NPY_ALIGN = 64 };

/* NumPy's name for the type; *as_is: its values, not only its bits. Types that NumPy has not are unsigned numbers. */
static const char *npy_type(enum vv_dtype dt, bool *as_is)
{
	static const char *const own[VV_DT_COUNT] = {[VV_DT_BOOL] = "|b1", [VV_DT_U8] = "|u1", [VV_DT_I8] = "|i1",
		[VV_DT_U16] = "<u2", [VV_DT_I16] = "<i2", [VV_DT_U32] = "<u4", [VV_DT_I32] = "<i4", [VV_DT_U64] = "<u8",
		[VV_DT_I64] = "<i8", [VV_DT_F16] = "<f2", [VV_DT_F32] = "<f4", [VV_DT_F64] = "<f8", [VV_DT_C64] = "<c8",
		[VV_DT_C128] = "<c16"};

	*as_is = own[dt] != NULL;
	return *as_is ? own[dt] : vv_dtype_info(dt)->bits == 16 ? "<u2" : "|u1";
}

/* Version 1.0: magic, header length, a Python dict padded so that the data is aligned. */
static size_t npy_head(char *out, const struct vv_tensor *t, const char *type)
{
	bool packed = vv_dtype_info(t->seg->seg.dtype)->bits < 8;
	char dict[NPY_HEAD];
	int n = snprintf(dict, sizeof(dict), "{'descr': '%s', 'fortran_order': False, 'shape': (", type);
	size_t len;

	/* Elements narrower than a byte stay packed: a row of bytes. */
	if (packed)
		n += snprintf(dict + n, sizeof(dict) - (size_t)n, "%" PRIu64 ",", t->len);
	for (unsigned i = 0; !packed && i < t->view->ndim; i++)
		n += snprintf(dict + n, sizeof(dict) - (size_t)n, t->view->ndim == 1 ? "%" PRIu64 "," : i ? ", %" PRIu64 : "%" PRIu64,
			t->view->shape[i]);
	n += snprintf(dict + n, sizeof(dict) - (size_t)n, "), }");
	len = (10 + (size_t)n + 1 + NPY_ALIGN - 1) / NPY_ALIGN * NPY_ALIGN;
	memcpy(out, "\x93NUMPY\x01\x00", 8);
	out[8] = (char)((len - 10) & 255);
	out[9] = (char)((len - 10) >> 8);
	memset(out + 10, ' ', len - 10);
	memcpy(out + 10, dict, (size_t)n);
	out[len - 1] = '\n';
	return len;
}

static int copy_out(const struct vv_source *s, int fd, const char *what, struct vv_ctx *ctx)
{
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? 0 : vv_fail_nomem(&ctx->err);

	for (uint64_t off = 0; off < s->size && !ret;) {
		size_t n = (size_t)vv_min64(PIECE, s->size - off);
		ret = vv_source_read(s, off, buf, n, &ctx->err);
		if (!ret)
			ret = vv_write_fd(fd, vv_span(buf, n), what, &ctx->err);
		off += n;
		vv_progress(ctx->progress, "writing", off, s->size);
	}
	free(buf);
	return ret;
}

static int write_tensor(struct vv_ctx *ctx, const struct vv_version *v, const struct vv_tensor *t, bool raw, int fd,
	const char *what)
{
	enum vv_dtype dt = t->seg->seg.dtype;
	struct vv_tensor_source s;
	char head[2 * NPY_HEAD];
	bool as_is;
	const char *type = npy_type(dt, &as_is);
	int ret = vv_tensor_open(&s, v, t, &ctx->err);

	if (ret)
		return ret;
	if (!raw) {
		ret = vv_write_fd(fd, vv_span(head, npy_head(head, t, type)), what, &ctx->err);
		if (!ret && !as_is && !ctx->quiet)
			fprintf(stderr, "note: NumPy has no %s; these are its bits, as '%s'\n", vv_dtype_info(dt)->name, type);
	}
	if (!ret)
		ret = copy_out(&s.base, fd, what, ctx);
	vv_tensor_close(&s);
	vv_progress_end();
	return ret;
}

static int told(struct vv_ctx *ctx, const struct vv_tensor *t, const char *file)
{
	char size[32];

	if (ctx->json)
		vv_print_json(json_pack("{s:o,s:o,s:s,s:o,s:I}", "file", vv_json_name(file), "name",
			vv_json_name(t->view->name), "dtype", vv_dtype_info(t->seg->seg.dtype)->name, "shape",
			vv_json_shape(t->view->shape, t->view->ndim), "bytes", (json_int_t)t->len));
	else if (!ctx->quiet)
		fprintf(stderr, "%s: %s\n", file, vv_human(t->len, size));
	return VV_EXIT_OK;
}

/* The whole of one file, above all of one in a tracked directory, where git cat-file has none. */
static int cat_file(struct vv_ctx *ctx, const struct vv_named *named, const char *file)
{
	struct vv_outfile out = {.fd = -1, .temp = VV_TEMP_INIT};
	struct vv_bytes bytes;
	char size[32];
	int ret = vv_manifest_is_dir(named->manifest)
		? vv_fail(&ctx->err, VV_EUSAGE, "%s is a directory: name a file in it", named->path)
		: vv_bytes_open(ctx, named, &bytes);

	if (!ret)
		ret = vv_outfile_open(&out, file, &ctx->err);
	if (!ret)
		ret = copy_out(bytes.version.bytes, out.fd, out.name, ctx);
	if (!ret)
		ret = vv_outfile_commit(&out, &ctx->err);
	vv_progress_end();
	if (!ret && file && strcmp(file, "-") && ctx->json)
		vv_print_json(json_pack("{s:o,s:I}", "file", vv_json_name(file), "bytes", (json_int_t)named->manifest->size));
	else if (!ret && file && strcmp(file, "-") && !ctx->quiet)
		fprintf(stderr, "%s: %s\n", file, vv_human(named->manifest->size, size));
	vv_outfile_release(&out);
	return ret;
}

int cmd_cat(struct vv_ctx *ctx, int argc, char **argv)
{
	bool raw = false;
	const char *file = NULL;
	const struct vv_opt opts[] = {
		{'r', "raw", VV_OPT_FLAG, &raw, NULL, "the bytes alone, row-major"},
		{'o', "output", VV_OPT_TEXT, &file, "FILE", "into this file; - is standard output"},
		{0},
	};
	struct vv_named named = {0};
	struct vv_outfile out = {.fd = -1, .temp = VV_TEMP_INIT};
	struct vv_bytes bytes;
	struct vv_tensor t;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);
	bool to_file = file && strcmp(file, "-");

	if (!ret && argc != 3 && argc != 2)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "cat takes a model and the name of a tensor");
	if (!ret && !to_file && (isatty(STDOUT_FILENO) || ctx->json))
		ret = vv_fail(&ctx->err, VV_EUSAGE,
			ctx->json ? "--json needs -o FILE" : "this is binary data and no terminal's: use -o FILE, or a pipe");
	if (!ret)
		ret = vv_named_open(ctx, argv[1], &named);
	if (!ret && argc == 2) {
		ret = cat_file(ctx, &named, file);
		goto out;
	}
	if (!ret)
		ret = vv_whole_find(ctx, &named, false);
	if (ret)
		goto out;
	ret = vv_tensor_find(&t, named.manifest, argv[2], &ctx->err);
	if (ret)
		vv_hint(ctx, "'varve show %s' lists the tensors", argv[1]);
	if (!ret)
		ret = vv_bytes_open(ctx, &named, &bytes);
	if (!ret)
		ret = vv_outfile_open(&out, file, &ctx->err);
	if (!ret)
		ret = write_tensor(ctx, &bytes.version, &t, raw, out.fd, out.name);
	if (!ret)
		ret = vv_outfile_commit(&out, &ctx->err);
	if (!ret && to_file)
		ret = told(ctx, &t, file);
out:
	vv_outfile_release(&out);
	vv_named_release(&named);
	return ret;
}
