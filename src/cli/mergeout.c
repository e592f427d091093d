#define _GNU_SOURCE
#include "cli/mergeout.h"

#include "blend/pass.h"
#include "cli/outfile.h"
#include "model/assembly.h"

#include <stdlib.h>
#include <sys/stat.h>

enum { MAX_COPIED = 256 << 20 }; /* bytes of a file beside the weights */

/* A file without tensors: of safetensors with the record, which other formats have no place for. */
static int make_head(struct vv_ctx *ctx, const struct vv_format *format, const struct vv_recipe *r, const struct vv_mergein *in,
	struct vv_buf *head)
{
	size_t first = r->method == &vv_blend_lora ? r->base : r->slices[0].sources[0].model;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	char note[64];
	int ret;

	if (strcmp(format->name, "safetensors") != 0) {
		snprintf(note, sizeof(note), "varve merge, %s", r->method->name);
		format->empty(head, note);
		return vv_buf_check(head, &ctx->err);
	}
	ret = vv_record_emit(&text, r, in->record, &ctx->err);
	if (!ret)
		ret = vv_record_head(head, &in->models[first].v, (const char *)text.ptr, &ctx->err);
	vv_buf_release(&text);
	return ret;
}

static int write_file(struct vv_ctx *ctx, const char *file, const struct vv_format *format, const struct vv_recipe *r,
	const struct vv_mergein *in, const struct vv_blend_plan *plan, uint64_t *bytes)
{
	struct vv_outfile out = {.fd = -1, .temp = VV_TEMP_INIT};
	struct vv_buf head = VV_BUF_INIT(VV_MAX_HEADER);
	struct vv_fd_sink sink;
	int ret = make_head(ctx, format, r, in, &head);

	if (!ret)
		ret = vv_outfile_open(&out, file, &ctx->err);
	if (!ret) {
		vv_fd_sink_init(&sink, out.fd, out.name, plan->bytes + head.len, ctx->progress);
		ret = vv_blend_write(plan->t, plan->n, format, vv_buf_view(&head), ctx->repo.pool, &sink.base, &ctx->err);
		*bytes = sink.len;
	}
	if (!ret)
		ret = vv_mergein_unchanged(ctx, in);
	if (!ret)
		ret = vv_outfile_commit(&out, &ctx->err);
	vv_outfile_release(&out);
	vv_buf_release(&head);
	return ret;
}

/* --- a folder --- */

struct copying {
	struct vv_ctx *ctx;
	const char *from, *to;
};

static bool ends(const char *name, const char *with)
{
	size_t n = strlen(name), k = strlen(with);

	return n > k && !strcmp(name + n - k, with);
}

/* Small plain files that describe a model or cut its text; no weights, no index of them, no code. */
static int copy_one(void *arg, const char *name, struct vv_err *err)
{
	static const char *const endings[] = {".json", ".txt", ".model", ".jinja", ".tiktoken", ".vocab"};
	const struct copying *c = arg;
	struct vv_buf data = VV_BUF_INIT(MAX_COPIED);
	char *from = vv_join(c->from, name), *to = vv_join(c->to, name);
	bool wanted = false;
	struct stat st;
	int ret = from && to ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < VV_COUNT(endings); i++)
		wanted |= ends(name, endings[i]);
	if (!ret && wanted && !ends(name, ".index.json") && !lstat(from, &st) && S_ISREG(st.st_mode) && !vv_exists(to)) {
		ret = vv_read_file(&data, from, err);
		if (!ret)
			ret = vv_write_file(to, vv_buf_view(&data), false, err);
	}
	vv_buf_release(&data);
	free(from);
	free(to);
	return ret;
}

static bool is_folder(const char *out)
{
	struct stat st;

	return out[strlen(out) - 1] == '/' || (!stat(out, &st) && S_ISDIR(st.st_mode));
}

int vv_mergeout_write(struct vv_ctx *ctx, const char *out, const struct vv_recipe *r,
	const struct vv_mergein *in, const struct vv_blend_plan *plan, uint64_t *bytes)
{
	const struct vv_format *format = vv_format_find(vv_span_str("safetensors"));
	size_t tokenizer = r->tokenizer != SIZE_MAX ? r->tokenizer : r->base != SIZE_MAX ? r->base : r->slices[0].sources[0].model;
	struct copying c = {ctx, in->folder[tokenizer], out};
	char *file = NULL;
	int ret;

	if (!out[0])
		return vv_fail(&ctx->err, VV_EUSAGE, "-o needs a name");
	if (!is_folder(out)) {
		if (strcmp(out, "-") != 0)
			format = vv_outfile_format(out);
		if (!format || !format->empty)
			return vv_fail(&ctx->err, VV_EUSAGE, "%s: merge writes a folder, or a file that ends with .safetensors, %s", out,
				".npz, .pt, .gguf, .onnx, .h5 or .msgpack");
		return write_file(ctx, out, format, r, in, plan, bytes);
	}
	file = vv_join(out, "model.safetensors");
	ret = file ? vv_mkdirs(out, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = write_file(ctx, file, format, r, in, plan, bytes);
	if (!ret && c.from)
		ret = vv_each_name(c.from, copy_one, &c, &ctx->err);
	free(file);
	return ret;
}
