#define _GNU_SOURCE
#include "cli/mergelora.h"

#include "blend/adapter.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

/* One word of --lora. */
struct chosen {
	char *path;
	double scale;
	struct vv_adapter config;
};

/* The factor of one tensor. */
struct factor {
	char *tensor;
	double scale;
};
struct factors {
	struct factor *v;
	size_t n, cap;
};

/* "PATH:NUMBER", or a path. */
static int take_word(struct vv_ctx *ctx, const char *word, struct chosen *c)
{
	const char *colon = strrchr(word, ':');
	char *end = NULL;

	c->scale = 1;
	if (colon && !vv_exists(word)) {
		c->scale = strtod(colon + 1, &end);
		if (end == colon + 1 || *end || !isfinite(c->scale))
			return vv_fail(&ctx->err, VV_EUSAGE, "--lora takes ADAPTER or ADAPTER:SCALE, not '%s'", word);
	}
	c->path = end ? strndup(word, (size_t)(colon - word)) : strdup(word);
	if (c->path && !vv_exists(c->path))
		return vv_fail(&ctx->err, VV_ENOTFOUND, "%s: no such adapter on disk", c->path);
	return c->path ? 0 : vv_fail_nomem(&ctx->err);
}

static int read_config(struct vv_ctx *ctx, struct chosen *c)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_ADAPTER_CONFIG);
	const char *slash = strrchr(c->path, '/');
	char *file = NULL;
	struct stat st;
	int n, ret;

	if (!stat(c->path, &st) && S_ISDIR(st.st_mode))
		n = asprintf(&file, "%s/adapter_config.json", c->path);
	else
		n = asprintf(&file, "%.*sadapter_config.json", slash ? (int)(slash - c->path + 1) : 0, c->path);
	if (n < 0)
		return vv_fail_nomem(&ctx->err);
	ret = vv_read_file(&text, file, &ctx->err);
	if (!ret)
		ret = vv_adapter_parse(&c->config, vv_buf_view(&text), file, &ctx->err);
	vv_buf_release(&text);
	free(file);
	return ret;
}

static int add_factor(struct vv_ctx *ctx, struct factors *f, const char *module, double scale)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 64;
		struct factor *v = realloc(f->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(&ctx->err);
		f->v = v;
		f->cap = cap;
	}
	f->v[f->n].scale = scale;
	if (asprintf(&f->v[f->n].tensor, "%s.weight", module) < 0)
		return vv_fail_nomem(&ctx->err);
	f->n++;
	return 0;
}

static int find_factors(struct vv_ctx *ctx, const struct chosen *c, const struct vv_manifest *m, struct factors *f)
{
	struct vv_adapter_part part;
	int ret = 0;

	for (size_t i = 0; i < m->n_segs && !ret; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views && !ret; k++) {
			const struct vv_view *v = &m->segs[i].seg.views[k];
			uint64_t rank;
			double by;

			if (!vv_adapter_part(&part, v->name) || !part.a)
				continue;
			by = vv_adapter_scale(&c->config, part.module, &rank);
			if (!v->ndim || v->shape[0] != rank)
				ret = vv_fail(&ctx->err, VV_EFORMAT, "%s: tensor \"%s\" is not of rank %llu, as %s says", c->path, v->name,
					(unsigned long long)rank, "its adapter_config.json");
			else
				ret = add_factor(ctx, f, part.module, c->scale * by);
		}
	return ret;
}

static void free_factors(struct factors *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->v[i].tensor);
	free(f->v);
}

static int longest_first(const void *a, const void *b)
{
	size_t m = strlen(((const struct factor *)a)->tensor), n = strlen(((const struct factor *)b)->tensor);

	return m < n ? 1 : m > n ? -1 : strcmp(((const struct factor *)a)->tensor, ((const struct factor *)b)->tensor);
}

/* One number, or those that differ by the tensor's name: a filter is any part of one, so longer ones go first. */
static json_t *scale_json(struct factors *f)
{
	json_t *list;
	bool same = true;

	for (size_t i = 1; i < f->n; i++)
		same &= f->v[i].scale == f->v[0].scale;
	if (same)
		return json_real(f->n ? f->v[0].scale : 1);
	list = json_array();
	qsort(f->v, f->n, sizeof(*f->v), longest_first);
	for (size_t i = 0; i < f->n; i++)
		json_array_append_new(list, json_pack("{s:s,s:f}", "filter", f->v[i].tensor, "value", f->v[i].scale));
	json_array_append_new(list, json_pack("{s:f}", "value", 1.0));
	return list;
}

static int add_model(struct vv_ctx *ctx, const struct chosen *c, const struct vv_manifest *m, json_t *models)
{
	struct factors f = {NULL, 0, 0};
	json_t *o = NULL;
	int ret = find_factors(ctx, c, m, &f);

	if (!ret) {
		o = json_pack("{s:s,s:{s:o,s:b}}", "model", c->path, "parameters", "scale", scale_json(&f), "fan_in_fan_out",
			c->config.turned);
		ret = o ? 0 : vv_fail(&ctx->err, VV_EUSAGE, "%s: a name that is not UTF-8 cannot be in a recipe", c->path);
	}
	if (o)
		json_array_append_new(models, o);
	free_factors(&f);
	return ret;
}

static int make_recipe(struct vv_ctx *ctx, const char *base, const struct chosen *c, size_t n, const char *dtype,
	const struct vv_mergein *in, struct vv_recipe *out)
{
	json_t *models = json_array(), *o = NULL;
	char *text = NULL;
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++)
		ret = add_model(ctx, &c[i], in->models[i + 1].v.m, models);
	if (!ret) {
		o = json_pack("{s:s,s:s,s:O}", "merge_method", "lora", "base_model", base, "models", models);
		if (o && dtype)
			json_object_set_new(o, "dtype", json_string(dtype));
		text = o ? json_dumps(o, JSON_COMPACT) : NULL;
		ret = text ? vv_recipe_parse(out, vv_span_str(text), "the command line", &ctx->err)
			   : vv_fail(&ctx->err, VV_EUSAGE, "a name that is not UTF-8 cannot be in a recipe");
	}
	free(text);
	json_decref(o);
	json_decref(models);
	return ret;
}

int vv_mergelora_open(struct vv_ctx *ctx, const char *base, const struct vv_opt_list *adapters, const char *dtype,
	struct vv_mergein *in, struct vv_recipe *out)
{
	struct chosen *c = calloc(adapters->n, sizeof(*c));
	const char **names = calloc(adapters->n + 1, sizeof(*names));
	int ret = c && names ? 0 : vv_fail_nomem(&ctx->err);

	for (size_t i = 0; i < adapters->n && !ret; i++) {
		ret = take_word(ctx, adapters->v[i], &c[i]);
		if (!ret)
			ret = read_config(ctx, &c[i]);
		if (!ret)
			names[i + 1] = c[i].path;
	}
	if (!ret) {
		names[0] = base;
		ret = vv_mergein_open(ctx, in, names, adapters->n + 1);
	}
	if (!ret)
		ret = make_recipe(ctx, base, c, adapters->n, dtype, in, out);
	/* It counts models as they come in its text: as they were opened. */
	if (!ret && out->n_models != adapters->n + 1)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "--lora: the base or an adapter is named twice");
	/* The words that were cut are gone; the recipe keeps the names. */
	for (size_t i = 0; i <= adapters->n && !ret; i++)
		in->models[i].file = in->record[i].path = out->models[i];
	for (size_t i = 0; i < adapters->n && c; i++) {
		free(c[i].path);
		vv_adapter_release(&c[i].config);
	}
	free(c);
	free(names);
	return ret;
}
