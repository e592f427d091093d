/* A model in another format, or its floats in another type. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/check.h"
#include "cli/bytes.h"
#include "cli/exporter.h"
#include "cli/lineage.h"
#include "cli/outfile.h"
#include "cli/whole.h"
#include "model/assembly.h"
#include "model/cast.h"
#include "model/convert.h"

#include <stdlib.h>

/* By name, or by how the file is called. */
static int find_format(struct vv_ctx *ctx, const char *name, const char *file, const struct vv_format **out)
{
	*out = name ? vv_format_find(vv_span_str(name)) : vv_outfile_format(file);
	if (!name && !*out)
		return vv_fail(&ctx->err, VV_EUSAGE, "%s: no format has this ending; --format names one of %s", file,
			"safetensors, npz, torch, gguf, onnx, hdf5, msgpack");
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

/* The user's own exporter. What it exits with is what we do. */
static int export(struct vv_ctx *ctx, const struct vv_exporter *e)
{
	json_t *output = NULL, *lineage;
	int status = 0, ret = vv_exporter_run(ctx, e, &status, &output);
	char *name = NULL, size[32], line[64];

	if (ret)
		return ret;
	if (status) {
		snprintf(line, sizeof(line), "the command failed with status %d", status);
		if (ctx->json)
			vv_print_json(json_pack("{s:{s:s,s:s,s:i}}", "error", "code", "command", "message", line, "status", status));
		vv_say(line);
		return status;
	}
	if (asprintf(&name, "%s" VV_LINEAGE_ENDING, e->file) < 0) {
		json_decref(output);
		return vv_fail_nomem(&ctx->err);
	}
	lineage = vv_json_name(name);
	free(name);
	if (ctx->json)
		vv_print_json(json_pack("{s:o,s:O,s:O,s:o}", "file", vv_json_name(e->file), "bytes", json_object_get(output, "size"),
			"sha256", json_object_get(output, "sha256"), "lineage", lineage));
	else if (!ctx->quiet)
		fprintf(stderr, "%s: %s, made by the command; the record is beside it\n", e->file,
			vv_human((uint64_t)json_integer_value(json_object_get(output, "size")), size));
	if (!ctx->json)
		json_decref(lineage);
	json_decref(output);
	return VV_EXIT_OK;
}

static int convert(struct vv_ctx *ctx, const char *model, const struct vv_convert *how, const char *file)
{
	struct vv_named named = {0};
	struct vv_bytes bytes;
	size_t written = 0;
	uint64_t len = 0;
	char size[32];
	int ret = vv_named_open(ctx, model, &named);

	if (ret)
		return ret;
	ret = vv_whole_find(ctx, &named, false);
	if (!ret)
		ret = vv_bytes_open(ctx, &named, &bytes);
	if (!ret)
		ret = write_out(ctx, &bytes.version, how, file, &written, &len);
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:o,s:s,s:I,s:I}", "file", vv_json_name(file), "format", how->format->name, "tensors",
			(json_int_t)written, "bytes", (json_int_t)len));
	else if (!ret && !ctx->quiet)
		fprintf(stderr, "%s: %s, %zu tensor%s, %s\n", file, how->format->name, written, written == 1 ? "" : "s",
			vv_human(len, size));
	vv_named_release(&named);
	return ret;
}

int cmd_convert(struct vv_ctx *ctx, int argc, char **argv)
{
	const char *file = NULL, *format = NULL, *type = NULL, *with = NULL;
	struct vv_opt_list globs = {0}, env = {0};
	const struct vv_opt opts[] = {
		{'o', "output", VV_OPT_TEXT, &file, "FILE", "the new file"},
		{'f', "format", VV_OPT_TEXT, &format, "NAME", "its format, if its ending does not say it"},
		{'d', "dtype", VV_OPT_TEXT, &type, "TYPE", "floats as f32, f16, bf16, f8_e4m3, f8_e5m2, int8 or q8_0"},
		{'t', "tensor", VV_OPT_LIST, &globs, "GLOB", "only such tensors (* crosses dots)"},
		{'w', "with", VV_OPT_TEXT, &with, "COMMAND", "made by a command of your own, from $VARVE_INPUT into $VARVE_OUTPUT"},
		{'e', "env", VV_OPT_LIST, &env, "NAME", "with --with: the record keeps this variable"},
		{0},
	};
	struct vv_convert how = {0};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && (argc < 2 || (argc > 2 && !with) || !file))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "convert takes a model, and -o FILE");
	if (!ret && (with ? format || type || globs.n : env.n > 0))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--with goes with --env and no other option");
	if (ret)
		goto out;
	if (with) {
		ret = export(ctx, &(struct vv_exporter){with, file, argv + 1, (size_t)argc - 1, env});
		goto out;
	}
	ret = find_format(ctx, format, file, &how.format);
	if (!ret)
		ret = find_type(ctx, type, &how);
	how.patterns = globs.v;
	how.n_patterns = globs.n;
	if (!ret)
		ret = convert(ctx, argv[1], &how, file);
out:
	free(globs.v);
	free(env.v);
	return ret;
}
