#include "cli/mergelora.h"

#include "blend/extract.h"
#include "cli/outfile.h"
#include "model/assembly.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

static int find_type(struct vv_ctx *ctx, const char *dtype, enum vv_dtype *out)
{
	*out = VV_DT_F32;
	if (dtype && (vv_dtype_find(out, vv_span_str(dtype)) || (*out != VV_DT_F32 && *out != VV_DT_F16 && *out != VV_DT_BF16)))
		return vv_fail(&ctx->err, VV_EUSAGE, "the type of an adapter is f32, f16 or bf16, not '%s'", dtype);
	return 0;
}

/* The weights come last: a folder that has them is whole. A new one without them goes again. */
static int write_folder(struct vv_ctx *ctx, const char *folder, struct vv_extract_plan *plan, const struct vv_extract *x,
	const struct vv_mergein *in, uint64_t *bytes)
{
	char *weights = vv_join(folder, "adapter_model.safetensors"), *config = vv_join(folder, "adapter_config.json");
	struct vv_outfile out = {.fd = -1, .temp = VV_TEMP_INIT};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_fd_sink sink;
	bool made = !vv_exists(folder);
	int ret = weights && config ? vv_extract_config(plan, x, &text, &ctx->err) : vv_fail_nomem(&ctx->err);

	if (!ret)
		ret = vv_mkdirs(folder, &ctx->err);
	if (!ret)
		ret = vv_outfile_open(&out, weights, &ctx->err);
	if (!ret) {
		vv_fd_sink_init(&sink, out.fd, out.name, plan->bytes, ctx->progress);
		ret = vv_extract_write(plan, x, ctx->repo.pool, &sink.base, &ctx->err);
		*bytes = sink.len;
	}
	vv_progress_end();
	if (!ret)
		ret = vv_mergein_unchanged(ctx, in);
	if (!ret)
		ret = vv_write_file(config, vv_buf_view(&text), false, &ctx->err);
	if (!ret)
		ret = vv_outfile_commit(&out, &ctx->err);
	vv_outfile_release(&out);
	if (ret && made && config) {
		unlink(config);
		rmdir(folder);
	}
	vv_buf_release(&text);
	free(weights);
	free(config);
	return ret;
}

static void report(struct vv_ctx *ctx, const char *folder, const struct vv_extract_plan *p, const struct vv_extract *x,
	uint64_t bytes)
{
	double lost = p->all > 0 ? sqrt(fmax(0, 1 - p->kept / p->all)) : 0;
	char size[32];

	if (ctx->json) {
		vv_print_json(json_pack("{s:o,s:I,s:I,s:I,s:f,s:I}", "folder", vv_json_name(folder), "rank", (json_int_t)x->rank, "tensors",
			(json_int_t)p->n, "left_out", (json_int_t)p->left_out, "error", lost, "bytes", (json_int_t)bytes));
		return;
	}
	if (p->left_out)
		vv_warn("%zu changed tensor%s left out, \"%s\" first: an adapter has only matrices of linear layers", p->left_out,
			p->left_out == 1 ? " is" : "s are", p->first_left_out);
	if (!ctx->quiet)
		fprintf(stderr, "%s: rank %zu of %zu matri%s, %.1f %% of the change is lost, %s\n", folder, x->rank, p->n,
			p->n == 1 ? "x" : "ces", 100 * lost, vv_human(bytes, size));
}

int vv_mergelora_extract(struct vv_ctx *ctx, const char *base, const char *tuned, uint64_t rank, const char *dtype,
	const char *out)
{
	const char *names[] = {base, tuned};
	struct vv_mergein in = {0};
	struct vv_extract_plan plan = {.n = 0};
	struct vv_extract x = {.rank = rank > SIZE_MAX ? SIZE_MAX : (size_t)rank};
	uint64_t bytes = 0;
	int ret = find_type(ctx, dtype, &x.to);

	if (!ret)
		ret = vv_mergein_open_ids(ctx, &in, names, 2);
	if (!ret) {
		x.base = &in.models[0];
		x.tuned = &in.models[1];
		ret = vv_repo_pool(&ctx->repo, &ctx->err);
	}
	if (!ret)
		ret = vv_extract_plan_make(&plan, &x, &ctx->err);
	if (!ret)
		ret = write_folder(ctx, out, &plan, &x, &in, &bytes);
	if (!ret)
		report(ctx, out, &plan, &x, bytes);
	vv_extract_plan_release(&plan);
	vv_mergein_release(&in);
	return ret;
}
