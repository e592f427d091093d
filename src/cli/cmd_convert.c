/* A model in another format, or its floats in another type. */
#include "cli/cli.h"

#include "base/check.h"
#include "cli/bytes.h"
#include "cli/outfile.h"
#include "model/assembly.h"
#include "model/cast.h"
#include "model/convert.h"

#include <stdlib.h>
#include <strings.h>

static const struct {
	const char *ending, *format;
} endings[] = {{".safetensors", "safetensors"}, {".npz", "npz"}, {".pt", "torch"}, {".pth", "torch"}, {".bin", "torch"},
	{".gguf", "gguf"}, {".onnx", "onnx"}, {".h5", "hdf5"}, {".hdf5", "hdf5"}};

/* By name, or by how the file is called. */
static int find_format(struct vv_ctx *ctx, const char *name, const char *file, const struct vv_format **out)
{
	size_t n = strlen(file);

	for (size_t i = 0; i < VV_COUNT(endings) && !name; i++) {
		size_t k = strlen(endings[i].ending);
		if (n > k && !strcasecmp(file + n - k, endings[i].ending))
			name = endings[i].format;
	}
	if (!name)
		return vv_fail(&ctx->err, VV_EUSAGE, "%s: no format has this ending; --format names one of %s", file,
			"safetensors, npz, torch, gguf, onnx, hdf5");
	*out = vv_format_find(vv_span_str(name));
	return *out && (*out)->empty ? 0 : vv_fail(&ctx->err, VV_EUSAGE, "varve makes no new files of the format '%s'", name);
}

static int find_type(struct vv_ctx *ctx, const char *name, struct vv_convert *how)
{
	bool gguf = !strcmp(how->format->name, "gguf");

	how->to = VV_DT_BYTES;
	if (!name)
		return 0;
	if (!strcmp(name, "int8"))
		how->quant = VV_QUANT_INT8;
	else if (!strcmp(name, "q8_0"))
		how->quant = VV_QUANT_Q8_0;
	else if (vv_dtype_find(&how->to, vv_span_str(name)) || !vv_castable(how->to))
		return vv_fail(&ctx->err, VV_EUSAGE, "--dtype takes f32, f16, bf16, f8_e4m3, f8_e5m2, int8 or q8_0, not '%s'", name);
	if (how->quant && gguf != (how->quant == VV_QUANT_Q8_0))
		return vv_fail(&ctx->err, VV_EUSAGE, "q8_0 is GGUF's; int8 is for all other formats");
	return 0;
}

static int write_out(struct vv_ctx *ctx, const struct vv_version *from, const struct vv_convert *how, const char *file,
	size_t *written, uint64_t *bytes)
{
	struct vv_outfile out = {.fd = -1, .temp = VV_TEMP_INIT};
	struct vv_fd_sink sink;
	int ret = vv_outfile_open(&out, file, &ctx->err);

	if (!ret) {
		vv_fd_sink_init(&sink, out.fd, out.name, from->m->size, ctx->progress);
		ret = vv_convert(from, how, &sink.base, written, &ctx->err);
		*bytes = sink.len;
	}
	vv_progress_end();
	if (!ret)
		ret = vv_outfile_commit(&out, &ctx->err);
	vv_outfile_release(&out);
	return ret;
}

int cmd_convert(struct vv_ctx *ctx, int argc, char **argv)
{
	const char *file = NULL, *format = NULL, *type = NULL;
	struct vv_opt_list globs = {0};
	const struct vv_opt opts[] = {
		{'o', "output", VV_OPT_TEXT, &file, "FILE", "the new file"},
		{'f', "format", VV_OPT_TEXT, &format, "NAME", "its format, if its ending does not say it"},
		{'d', "dtype", VV_OPT_TEXT, &type, "TYPE", "floats as f32, f16, bf16, f8_e4m3, f8_e5m2, int8 or q8_0"},
		{'t', "tensor", VV_OPT_LIST, &globs, "GLOB", "only such tensors (* crosses dots)"},
		{0},
	};
	struct vv_named named = {0};
	struct vv_convert how = {0};
	struct vv_bytes bytes;
	size_t written = 0;
	uint64_t len = 0;
	char size[32];
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && (argc != 2 || !file))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "convert takes a model, and -o FILE");
	if (!ret)
		ret = find_format(ctx, format, file, &how.format);
	if (!ret)
		ret = find_type(ctx, type, &how);
	how.patterns = globs.v;
	how.n_patterns = globs.n;
	if (!ret)
		ret = vv_named_open(ctx, argv[1], &named);
	if (ret)
		goto out;
	ret = vv_bytes_open(ctx, &named, &bytes);
	if (!ret)
		ret = write_out(ctx, &bytes.version, &how, file, &written, &len);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:o,s:s,s:I,s:I}", "file", vv_json_name(file), "format", how.format->name, "tensors",
			(json_int_t)written, "bytes", (json_int_t)len));
	else if (!ret && !ctx->quiet)
		fprintf(stderr, "%s: %s, %zu tensor%s, %s\n", file, how.format->name, written, written == 1 ? "" : "s",
			vv_human(len, size));
out:
	vv_named_release(&named);
	free(globs.v);
	return ret ? ret : VV_EXIT_OK;
}
