#define _GNU_SOURCE
#include "cli/mergeset.h"

#include <math.h>
#include <stdlib.h>

/* The recipe is written as a text of JSON and read as any other: what is allowed is said in one place. */
struct text {
	struct vv_ctx *ctx;
	const struct vv_mergeset *s;
	struct vv_buf b;
	struct vv_buf of_model[VV_BP_COUNT]; /* "v1,v2" */
	struct vv_buf of_merge;
	const struct vv_blend_method *method;
};

static int add_string(struct text *t, const char *s)
{
	json_t *v = json_string(s);
	char *dump = v ? json_dumps(v, JSON_ENCODE_ANY) : NULL;

	json_decref(v);
	if (!dump)
		return vv_fail(&t->ctx->err, VV_EUSAGE, "a name that is not UTF-8 cannot be in a recipe");
	vv_buf_str(&t->b, dump);
	free(dump);
	return 0;
}

static int set(struct text *t, struct vv_span name, const char *value)
{
	enum vv_blend_param p = vv_blend_param_find(name);
	const struct vv_blend_param_info *info = &vv_blend_params[p < VV_BP_COUNT ? p : 0];
	size_t allowed = strspn(value, "0123456789+-.eEtrufals,");

	if (p == VV_BP_COUNT || !(t->method->params >> p & 1))
		return vv_fail(&t->ctx->err, VV_EUSAGE, "%s has no parameter '%.*s'", t->method->name, (int)name.len,
			(const char *)name.ptr);
	if (!value[0] || value[allowed] || (!info->of_model && strchr(value, ',')))
		return vv_fail(&t->ctx->err, VV_EUSAGE, "%s: '%s' is not %s", info->name, value, info->flag ? "true or false" : "a number");
	/* ram has one of the merge that others have of each model. */
	if (info->of_model)
		vv_buf_str(&t->of_model[p], value);
	else
		vv_buf_fmt(&t->of_merge, "%s\"%s\":%s", t->of_merge.len ? "," : "", info->name, value);
	return 0;
}

static int all_set(struct text *t)
{
	const struct vv_mergeset *s = t->s;
	const struct {
		const char *name, *value;
	} shorts[] = {{"weight", s->weight}, {"density", s->density}, {"t", s->t}, {"lambda", s->lambda},
		{"normalize", s->normalize ? "true" : NULL}};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(shorts) && !ret; i++)
		if (shorts[i].value)
			ret = set(t, vv_span_str(shorts[i].name), shorts[i].value);
	for (size_t i = 0; i < s->set.n && !ret; i++) {
		const char *eq = strchr(s->set.v[i], '=');
		ret = eq ? set(t, vv_span(s->set.v[i], (size_t)(eq - s->set.v[i])), eq + 1)
			 : vv_fail(&t->ctx->err, VV_EUSAGE, "--set takes NAME=VALUE, not '%s'", s->set.v[i]);
	}
	return ret;
}

/* The value of model `i` of n: of a list its own, else the one for all. */
static int one_of(struct text *t, enum vv_blend_param p, size_t i, size_t n, struct vv_span *out)
{
	const char *v = (const char *)t->of_model[p].ptr, *at = v;
	size_t commas = 0;

	for (const char *c = v; *c; c++)
		commas += *c == ',';
	if (commas && commas + 1 != n)
		return vv_fail(&t->ctx->err, VV_EUSAGE, "%s: %zu values for %zu models", vv_blend_params[p].name, commas + 1, n);
	for (; commas && i; i--)
		at = strchr(at, ',') + 1;
	*out = vv_span(at, strcspn(at, ","));
	return out->len ? 0 : vv_fail(&t->ctx->err, VV_EUSAGE, "%s: '%s' lacks a value", vv_blend_params[p].name, v);
}

static int add_model(struct text *t, const char *name, size_t i, size_t n)
{
	int ret;

	vv_buf_str(&t->b, i ? ",{\"model\":" : "{\"model\":");
	ret = add_string(t, name);
	vv_buf_str(&t->b, ",\"parameters\":{");
	for (enum vv_blend_param p = 0, first = 1; p < VV_BP_COUNT && !ret; p++) {
		struct vv_span v = {NULL, 0};
		if (!t->of_model[p].len)
			continue;
		ret = one_of(t, p, i, n, &v);
		if (!ret)
			vv_buf_fmt(&t->b, "%s\"%s\":%.*s", first ? "" : ",", vv_blend_params[p].name, (int)v.len, (const char *)v.ptr);
		first = 0;
	}
	vv_buf_str(&t->b, "}}");
	return ret;
}

/* --- the last versions of a file --- */

/* "REV:path" of each, the newest first; NUL-ended, one after the other. */
static int last_versions(struct text *t, const char *name, struct vv_buf *out, size_t *n)
{
	struct vv_ctx *ctx = t->ctx;
	const char *colon = strchr(name, ':');
	char *rev = colon ? strndup(name, (size_t)(colon - name)) : strdup("HEAD"), *path = NULL, *count = NULL, *spec = NULL;
	struct vv_buf log = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = rev ? vv_repo_open(&ctx->repo, &ctx->err) : vv_fail_nomem(&ctx->err);

	*n = 0;
	if (!ret)
		ret = vv_top_path(ctx, colon ? colon + 1 : name, &path);
	if (!ret && (asprintf(&count, "-n%llu", (unsigned long long)t->s->last) < 0 || asprintf(&spec, ":(top,literal)%s", path) < 0))
		ret = vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = VV_GIT(&ctx->repo, &log, &ctx->err, "log", "--format=%H", count, "--end-of-options", rev, "--", spec);
	for (char *s = (char *)log.ptr, *end; s && *s && !ret; s = end + 1, (*n)++) {
		end = strchr(s, '\n');
		if (!end)
			break;
		vv_buf_fmt(out, "%.*s:%s", (int)(end - s), s, path);
		vv_buf_char(out, 0);
	}
	if (!ret && *n < t->s->last)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "%s has %zu versions, not %llu", name, *n, (unsigned long long)t->s->last);
	vv_buf_release(&log);
	free(rev);
	free(path);
	free(count);
	free(spec);
	return ret ? ret : vv_buf_check(out, &ctx->err);
}

/* Each older version weighs `decay` times as much; the oldest what is left of 1. */
static int ema_weights(struct text *t, size_t n)
{
	char *end;
	double decay = strtod(t->s->ema, &end), w = 1 - decay;

	if (*end || end == t->s->ema || !(decay > 0 && decay < 1))
		return vv_fail(&t->ctx->err, VV_EUSAGE, "--ema takes a number between 0 and 1, not '%s'", t->s->ema);
	if (t->of_model[VV_BP_WEIGHT].len)
		return vv_fail(&t->ctx->err, VV_EUSAGE, "--ema gives the weights: --weight does not go with it");
	for (size_t i = 0; i < n; i++, w *= decay)
		vv_buf_fmt(&t->of_model[VV_BP_WEIGHT], "%s%.17g", i ? "," : "", i + 1 == n ? w / (1 - decay) : w);
	return 0;
}

static int add_models(struct text *t, char *const *models, size_t n)
{
	struct vv_buf versions = VV_BUF_INIT(VV_MAX_TEXT);
	const char *at;
	int ret = 0;

	if (t->s->last && n != 1)
		return vv_fail(&t->ctx->err, VV_EUSAGE, "--last takes one file");
	if (t->s->ema && !t->s->last)
		return vv_fail(&t->ctx->err, VV_EUSAGE, "--ema goes with --last");
	if (t->s->last)
		ret = last_versions(t, models[0], &versions, &n);
	if (!ret && t->s->ema)
		ret = ema_weights(t, n);
	at = (const char *)versions.ptr;
	for (size_t i = 0; i < n && !ret; i++) {
		ret = add_model(t, t->s->last ? at : models[i], i, n);
		at += t->s->last ? strlen(at) + 1 : 0;
	}
	vv_buf_release(&versions);
	return ret;
}

static int write_text(struct text *t, char *const *models, size_t n)
{
	const struct vv_mergeset *s = t->s;
	int ret = all_set(t);

	if (!ret && s->base && t->method->base == VV_BLEND_BASE_INPUT)
		ret = vv_fail(&t->ctx->err, VV_EUSAGE, "%s takes no base: name it among the models", t->method->name);
	if (ret)
		return ret;
	vv_buf_fmt(&t->b, "{\"merge_method\":\"%s\",\"models\":[", t->method->name);
	ret = add_models(t, models, n);
	/* A parameter that memory was not there for would be left out. */
	for (enum vv_blend_param p = 0; p < VV_BP_COUNT && !ret; p++)
		ret = vv_buf_check(&t->of_model[p], &t->ctx->err);
	if (!ret)
		ret = vv_buf_check(&t->of_merge, &t->ctx->err);
	vv_buf_fmt(&t->b, "],\"parameters\":{%s}", t->of_merge.len ? (const char *)t->of_merge.ptr : "");
	if (s->base && !ret) {
		vv_buf_str(&t->b, ",\"base_model\":");
		ret = add_string(t, s->base);
	}
	if (s->dtype && !ret) {
		vv_buf_str(&t->b, ",\"dtype\":");
		ret = add_string(t, s->dtype);
	}
	vv_buf_fmt(&t->b, ",\"seed\":%llu}", (unsigned long long)s->seed);
	return ret ? ret : vv_buf_check(&t->b, &t->ctx->err);
}

int vv_mergeset_recipe(
	struct vv_ctx *ctx, const struct vv_mergeset *s, char *const *models, size_t n, struct vv_recipe *out)
{
	const char *method = s->method ? s->method : "linear";
	struct text t = {.ctx = ctx, .s = s, .b = VV_BUF_INIT(VV_MAX_TEXT), .of_merge = VV_BUF_INIT(VV_MAX_TEXT),
		.method = vv_blend_find(vv_span_str(method))};
	int ret;

	for (size_t p = 0; p < VV_BP_COUNT; p++)
		vv_buf_init(&t.of_model[p], VV_MAX_TEXT);
	ret = t.method ? write_text(&t, models, n)
		       : vv_fail(&ctx->err, VV_EUSAGE, "no merge method '%s'; see varve-merge(1)", method);
	if (!ret)
		ret = vv_recipe_parse(out, vv_buf_view(&t.b), "the command line", &ctx->err);
	for (size_t p = 0; p < VV_BP_COUNT; p++)
		vv_buf_release(&t.of_model[p]);
	vv_buf_release(&t.b);
	vv_buf_release(&t.of_merge);
	return ret;
}
