/* One model out of several, by a method and its parameters or by a recipe; and whether a file is what its record says. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "blend/pass.h"
#include "cli/mergein.h"
#include "cli/mergelora.h"
#include "cli/mergeout.h"
#include "cli/mergeset.h"
#include "git/resolve.h"
#include "model/assembly.h"

#include <stdlib.h>

/* A recipe, or a model? By its ending. */
static bool is_recipe(const char *name)
{
	size_t n = strlen(name);

	return (n > 5 && !strcmp(name + n - 5, ".yaml")) || (n > 4 && !strcmp(name + n - 4, ".yml"));
}

static int read_recipe(struct vv_ctx *ctx, const char *file, struct vv_recipe *out)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_RECIPE);
	int ret = vv_read_file(&text, file, &ctx->err);

	if (!ret)
		ret = vv_recipe_parse(out, vv_buf_view(&text), file, &ctx->err);
	vv_buf_release(&text);
	return ret;
}

static json_t *inputs_json(const struct vv_mergein *in)
{
	json_t *list = json_array();
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < in->n; i++)
		json_array_append_new(list, json_pack("{s:o,s:s}", "path", vv_json_name(in->models[i].file), "sha256",
			vv_id_hex(&in->record[i].sha256, hex)));
	return list;
}

static size_t copies(const struct vv_blend_plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += !p->t[i].method;
	return n;
}

static void report(struct vv_ctx *ctx, const char *file, const struct vv_recipe *r, const struct vv_mergein *in,
	const struct vv_blend_plan *p, uint64_t bytes)
{
	char size[32];

	if (ctx->json)
		vv_print_json(json_pack("{s:o,s:s,s:I,s:I,s:I,s:I,s:o,s:o}", "file", file ? vv_json_name(file) : json_null(), "method",
			r->method->name, "tensors", (json_int_t)p->n, "copied", (json_int_t)copies(p), "layers", (json_int_t)p->layers,
			"bytes", (json_int_t)bytes, "inputs", inputs_json(in), "recipe", vv_recipe_json(r)));
	else if (!ctx->quiet)
		fprintf(stderr, "%s: %s of %zu model%s, %zu tensor%s, %s\n", file ? file : "would be", r->method->name, in->n,
			in->n == 1 ? "" : "s", p->n, p->n == 1 ? "" : "s", vv_human(bytes, size));
}

static int write_out(
	struct vv_ctx *ctx, const struct vv_recipe *r, const struct vv_mergein *in, const char *file, bool dry_run)
{
	struct vv_blend_plan plan = {.n = 0};
	uint64_t bytes = 0;
	int ret = vv_repo_pool(&ctx->repo, &ctx->err);

	if (!ret)
		ret = vv_blend_plan_make(&plan, r, in->models, &ctx->err);
	if (!ret && !dry_run)
		ret = vv_mergeout_write(ctx, file, r, in, &plan, &bytes);
	vv_progress_end();
	if (!ret)
		report(ctx, dry_run ? NULL : file, r, in, &plan, dry_run ? plan.bytes : bytes);
	vv_blend_plan_release(&plan);
	return ret;
}

static int merge(struct vv_ctx *ctx, const struct vv_recipe *r, const char *file, bool dry_run)
{
	struct vv_mergein in = {0};
	int ret = vv_mergein_open(ctx, &in, r->models, r->n_models);

	if (!ret)
		ret = write_out(ctx, r, &in, file, dry_run);
	vv_mergein_release(&in);
	return ret;
}

static int merge_lora(
	struct vv_ctx *ctx, const char *base, const struct vv_opt_list *adapters, const char *dtype, const char *file, bool dry_run)
{
	struct vv_mergein in = {0};
	struct vv_recipe r = {.base = SIZE_MAX};
	int ret = vv_mergelora_open(ctx, base, adapters, dtype, &in, &r);

	if (!ret)
		ret = write_out(ctx, &r, &in, file, dry_run);
	vv_recipe_release(&r);
	vv_mergein_release(&in);
	return ret;
}

/* --- verify --- */

/* Hashes, and shows how far it is. */
struct verifying {
	struct vv_hash_sink hash;
	uint64_t done, total;
	struct vv_progress *prog;
};

static int verify_write(struct vv_sink *self, struct vv_span data, struct vv_err *err VV_UNUSED)
{
	struct verifying *v = (struct verifying *)self;

	vv_sha256_update(&v->hash.sha, data);
	v->done += data.len;
	vv_progress(v->prog, "verifying", v->done, v->total > v->done ? v->total : v->done);
	return 0;
}

static int replay(struct vv_ctx *ctx, const struct vv_record *rec, const struct vv_mergein *in, const struct vv_version *file,
	struct vv_id *sha)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_HEADER);
	struct vv_blend_plan plan = {.n = 0};
	struct verifying sink = {.prog = ctx->progress};
	int ret = vv_repo_pool(&ctx->repo, &ctx->err);

	if (!ret)
		ret = vv_blend_plan_make(&plan, &rec->r, in->models, &ctx->err);
	if (!ret)
		ret = vv_record_head(&head, file, rec->text, &ctx->err);
	if (!ret)
		ret = vv_hash_sink_init(&sink.hash, &ctx->err);
	if (!ret) {
		sink.hash.base.write = verify_write;
		sink.total = plan.bytes + head.len;
		ret = vv_blend_write(plan.t, plan.n, vv_format_find(vv_span_str("safetensors")), vv_buf_view(&head), ctx->repo.pool,
			&sink.hash.base, &ctx->err);
		vv_sha256_final(&sink.hash.sha, sha);
		vv_sha256_release(&sink.hash.sha);
	}
	vv_progress_end();
	vv_blend_plan_release(&plan);
	vv_buf_release(&head);
	return ret;
}

/* What git merged is told by the note on its manifest. */
static int verify_note(struct vv_ctx *ctx, const char *name, struct vv_resolution *res)
{
	static const char *const sides[] = {"ours", "theirs", "base"};
	json_t *inputs = json_array();
	struct vv_id sha[3];
	char hex[VV_ID_HEX + 1];
	bool same = false;
	int ret = vv_resolution_replay(&ctx->repo, res, &same, sha, &ctx->err);

	for (size_t i = 0; i < VV_COUNT(sides) && !ret; i++)
		if (i != VV_MERGE_BASE || res->base[0])
			json_array_append_new(inputs, json_pack("{s:s,s:s}", "path", sides[i], "sha256", vv_id_hex(&sha[i], hex)));
	vv_progress_end();
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:o,s:b,s:s,s:n,s:O}", "file", vv_json_name(name), "same", same, "method", "three-way",
			"varve", "inputs", inputs));
	else if (!ret && !ctx->quiet)
		printf("%s: %s its merge makes\n", name, same ? "bit for bit what" : "not what");
	json_decref(inputs);
	return ret ? ret : same ? VV_EXIT_OK : VV_EXIT_NO;
}

static int verify(struct vv_ctx *ctx, const char *name, char *const *given, size_t n_given)
{
	struct vv_named named = {0};
	struct vv_bytes bytes;
	struct vv_record rec = {.r = {.base = SIZE_MAX}};
	struct vv_mergein in = {0};
	struct vv_id sha;
	bool same = false;
	struct vv_resolution res;
	struct vv_err none = VV_ERR_INIT;
	int ret = vv_named_open(ctx, name, &named);

	if (!ret && named.oid[0] && !vv_resolution_noted(&ctx->repo, named.oid, &res, &none)) {
		ret = verify_note(ctx, name, &res);
		vv_resolution_release(&res);
		vv_named_release(&named);
		return ret;
	}
	if (!ret)
		ret = vv_bytes_open(ctx, &named, &bytes);
	if (!ret && (ret = vv_record_read(&rec, &bytes.version, &ctx->err)))
		vv_err_in(&ctx->err, "%s", name);
	if (!ret)
		ret = vv_mergein_recorded(ctx, &in, &rec, given, n_given);
	if (!ret)
		ret = replay(ctx, &rec, &in, &bytes.version, &sha);
	if (!ret) {
		same = vv_id_eq(&sha, &named.manifest->sha256);
		if (ctx->json)
			vv_print_json(json_pack("{s:o,s:b,s:s,s:s,s:o}", "file", vv_json_name(name), "same", same, "method",
				rec.r.method->name, "varve", rec.made_by, "inputs", inputs_json(&in)));
		else if (!ctx->quiet)
			printf("%s: %s its recipe makes\n", name, same ? "bit for bit what" : "not what");
	}
	vv_mergein_release(&in);
	vv_record_release(&rec);
	vv_named_release(&named);
	return ret ? ret : same ? VV_EXIT_OK : VV_EXIT_NO;
}

static bool says_how(const struct vv_mergeset *s)
{
	return s->method || s->base || s->weight || s->density || s->t || s->lambda || s->normalize || s->set.n || s->dtype || s->last ||
		s->ema;
}

/* By the words of the command line, or by a recipe. */
static int merge_models(
	struct vv_ctx *ctx, const struct vv_mergeset *set, char *const *models, size_t n, const char *file, bool dry_run)
{
	struct vv_recipe recipe = {.base = SIZE_MAX};
	bool yaml = n == 1 && is_recipe(models[0]);
	int ret;

	if (yaml && says_how(set))
		return vv_fail(&ctx->err, VV_EUSAGE, "%s says how: only --seed goes with a recipe", models[0]);
	ret = yaml ? read_recipe(ctx, models[0], &recipe) : vv_mergeset_recipe(ctx, set, models, n, &recipe);
	/* Its factors are in the adapters' configurations, which a recipe does not name. */
	if (!ret && recipe.method == &vv_blend_lora)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "lora is had by --lora ADAPTER, which reads its adapter_config.json");
	if (!ret && set->seed)
		recipe.seed = set->seed;
	if (!ret)
		ret = merge(ctx, &recipe, file, dry_run);
	vv_recipe_release(&recipe);
	return ret;
}

#define NO_RANK UINT64_MAX

/* One adapter made, or some added to one model. */
static int adapters(struct vv_ctx *ctx, const struct vv_mergeset *set, const struct vv_opt_list *lora, uint64_t rank,
	char *const *models, size_t n, const char *file, bool dry_run)
{
	struct vv_mergeset rest = *set;
	bool extract = rank != NO_RANK;

	rest.dtype = NULL;
	if (says_how(&rest) || set->seed || (extract && lora->n))
		return vv_fail(&ctx->err, VV_EUSAGE, "%s goes with -o, --dtype%s and no other option",
			extract ? "--extract-lora" : "--lora", extract ? "" : ", --dry-run");
	if (!extract)
		return n == 1 ? merge_lora(ctx, models[0], lora, set->dtype, file, dry_run)
			      : vv_fail(&ctx->err, VV_EUSAGE, "--lora takes one model, that adapters are added to");
	if (n != 2 || dry_run)
		return vv_fail(&ctx->err, VV_EUSAGE, "--extract-lora RANK takes a base and what became of it, and -o FOLDER");
	return vv_mergelora_extract(ctx, models[0], models[1], rank, set->dtype, file);
}

int cmd_merge(struct vv_ctx *ctx, int argc, char **argv)
{
	const char *file = NULL, *check = NULL;
	struct vv_mergeset set = {0};
	struct vv_opt_list lora = {0};
	uint64_t rank = NO_RANK;
	bool dry_run = false;
	const struct vv_opt opts[] = {
		{'o', "output", VV_OPT_TEXT, &file, "OUT", "the new file, or folder"},
		{'m', "method", VV_OPT_TEXT, &set.method, "NAME", "how: linear (when not given), slerp, ties, ..."},
		{'b', "base", VV_OPT_TEXT, &set.base, "MODEL", "what the models began as"},
		{0, "weight", VV_OPT_TEXT, &set.weight, "W1,W2", "of each model, or one for all"},
		{0, "density", VV_OPT_TEXT, &set.density, "D1,D2", "share of each model's changes that is kept"},
		{'t', "t", VV_OPT_TEXT, &set.t, "T", "how far from the first model (slerp, nearswap)"},
		{0, "lambda", VV_OPT_TEXT, &set.lambda, "L", "by what the changes are multiplied"},
		{0, "normalize", VV_OPT_FLAG, &set.normalize, NULL, "divide by the weights"},
		{0, "set", VV_OPT_LIST, &set.set, "NAME=VALUE", "any parameter of the method"},
		{0, "seed", VV_OPT_COUNT, &set.seed, "N", "of what is left to chance"},
		{'d', "dtype", VV_OPT_TEXT, &set.dtype, "TYPE", "of the new weights: f32, f16, bf16 or f64"},
		{0, "last", VV_OPT_COUNT, &set.last, "N", "the last N versions of one file"},
		{0, "ema", VV_OPT_TEXT, &set.ema, "DECAY", "each older one of them weighs DECAY times as much"},
		{0, "lora", VV_OPT_LIST, &lora, "ADAPTER", "adds a LoRA adapter, ADAPTER:SCALE times, to one model"},
		{0, "extract-lora", VV_OPT_COUNT, &rank, "RANK", "makes an adapter: what BASE became in the second model"},
		{'n', "dry-run", VV_OPT_FLAG, &dry_run, NULL, "only check that it can be done"},
		{0, "verify", VV_OPT_TEXT, &check, "FILE", "is FILE what its record says? MODELs: where inputs are"},
		{0},
	};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);
	size_t n = argc > 0 ? (size_t)argc - 1 : 0;

	if (!ret && check)
		ret = verify(ctx, check, argv + 1, n);
	else if (!ret && (!n || (!file && !dry_run)))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "merge takes models or a recipe, and -o OUT");
	else if (!ret && (lora.n || rank != NO_RANK))
		ret = adapters(ctx, &set, &lora, rank, argv + 1, n, file, dry_run);
	else if (!ret)
		ret = merge_models(ctx, &set, argv + 1, n, file, dry_run);
	free(lora.v);
	free(set.set.v);
	return ret;
}
