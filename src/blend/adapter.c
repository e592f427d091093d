#include "blend/adapter.h"

#include <jansson.h>
#include <math.h>

static int wrong(struct vv_err *err, const char *name, const char *key, const char *what)
{
	return vv_fail(err, VV_EFORMAT, "%s: \"%s\" has to be %s", name, key, what);
}

/* A number above 0, or `usual` when it is not there. */
static int number(const json_t *o, const char *key, double usual, const char *name, double *out, struct vv_err *err)
{
	const json_t *v = json_object_get(o, key);

	*out = v && !json_is_null(v) ? json_number_value(v) : usual;
	return isfinite(*out) && *out > 0 ? 0 : wrong(err, name, key, "a number above 0");
}

static int flag(const json_t *o, const char *key, const char *name, bool *out, struct vv_err *err)
{
	const json_t *v = json_object_get(o, key);

	*out = json_is_true(v);
	return !v || json_is_null(v) || json_is_boolean(v) ? 0 : wrong(err, name, key, "true or false");
}

static int is_rank(double v)
{
	return v >= 1 && v <= VV_MAX_LORA_RANK && v == floor(v);
}

/* PEFT reads keys as regular expressions: those that are just names mean the same. */
static bool is_plain(const char *key)
{
	return key[0] && strspn(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == strlen(key);
}

static int patterns(struct vv_adapter *a, const json_t *o, const char *field, bool rank, const char *name,
	struct vv_adapter_patterns *out, struct vv_err *err)
{
	json_t *all = json_object_get(o, field), *v;
	struct vv_adapter_pattern *p;
	const char *key;
	size_t n = 0;

	if (!all || json_is_null(all))
		return 0;
	if (!json_is_object(all) || json_object_size(all) > VV_MAX_ADAPTER_PATTERNS)
		return wrong(err, name, field, "an object of no more than 65536 names");
	p = vv_arena_array(&a->arena, json_object_size(all) + 1, sizeof(*p));
	if (!p)
		return vv_fail_nomem(err);
	json_object_foreach(all, key, v) {
		double d = json_number_value(v);
		if (!is_plain(key))
			return vv_fail(err, VV_ENOTSUP, "%s: \"%s\" has \"%.100s\", which is no plain name", name, field, key);
		if (!isfinite(d) || d <= 0 || (rank && !is_rank(d)))
			return wrong(err, name, field, rank ? "of whole numbers above 0" : "of numbers above 0");
		p[n] = (struct vv_adapter_pattern){vv_arena_copy(&a->arena, vv_span_str(key)), d};
		if (!p[n++].key)
			return vv_fail_nomem(err);
	}
	*out = (struct vv_adapter_patterns){p, n};
	return 0;
}

/* What would change the result and is not done here. */
static int refuse(const json_t *o, const char *name, struct vv_err *err)
{
	static const char *const parts[] = {"use_dora", "lora_bias", "layer_replication", "use_qalora", "alora_invocation_tokens"};
	const char *type = json_string_value(json_object_get(o, "peft_type"));

	if (!type)
		return wrong(err, name, "peft_type", "a word");
	if (strcmp(type, "LORA") != 0)
		return vv_fail(err, VV_ENOTSUP, "%s: an adapter of the kind \"%.40s\", not LORA", name, type);
	for (size_t i = 0; i < VV_COUNT(parts); i++) {
		const json_t *v = json_object_get(o, parts[i]);
		if (v && !json_is_null(v) && !json_is_false(v))
			return vv_fail(err, VV_ENOTSUP, "%s: \"%s\" is not done by this varve", name, parts[i]);
	}
	return 0;
}

static int parse(struct vv_adapter *a, const json_t *o, const char *name, struct vv_err *err)
{
	int ret = refuse(o, name, err);

	if (!ret)
		ret = number(o, "r", 8, name, &a->rank, err);
	if (!ret && !is_rank(a->rank))
		ret = wrong(err, name, "r", "a whole number");
	if (!ret)
		ret = number(o, "lora_alpha", 8, name, &a->alpha, err);
	if (!ret)
		ret = flag(o, "use_rslora", name, &a->rslora, err);
	if (!ret)
		ret = flag(o, "fan_in_fan_out", name, &a->turned, err);
	if (!ret)
		ret = patterns(a, o, "rank_pattern", true, name, &a->ranks, err);
	return ret ? ret : patterns(a, o, "alpha_pattern", false, name, &a->alphas, err);
}

int vv_adapter_parse(struct vv_adapter *out, struct vv_span text, const char *name, struct vv_err *err)
{
	json_error_t why;
	json_t *o;
	int ret;

	*out = (struct vv_adapter){.rank = 0};
	if (text.len > VV_MAX_ADAPTER_CONFIG)
		return vv_fail(err, VV_ELIMIT, "%s: longer than %d bytes", name, VV_MAX_ADAPTER_CONFIG);
	o = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
	if (o && json_is_object(o))
		ret = parse(out, o, name, err);
	else
		ret = vv_fail(err, VV_EFORMAT, "%s:%d: %s", name, o ? 1 : why.line, o ? "not an object" : why.text);
	json_decref(o);
	if (ret)
		vv_adapter_release(out);
	return ret;
}

void vv_adapter_release(struct vv_adapter *a)
{
	vv_arena_release(&a->arena);
	*a = (struct vv_adapter){.rank = 0};
}

static double value_for(const struct vv_adapter_patterns *p, const char *module, double usual)
{
	size_t len = strlen(module);

	for (size_t i = 0; i < p->n; i++) {
		size_t n = strlen(p->v[i].key);
		if (n <= len && !strcmp(module + len - n, p->v[i].key) && (n == len || module[len - n - 1] == '.'))
			return p->v[i].value;
	}
	return usual;
}

double vv_adapter_scale(const struct vv_adapter *a, const char *module, uint64_t *rank)
{
	double r = value_for(&a->ranks, module, a->rank), alpha = value_for(&a->alphas, module, a->alpha);

	*rank = (uint64_t)r;
	return alpha / (a->rslora ? sqrt(r) : r);
}

bool vv_adapter_part(struct vv_adapter_part *out, const char *name)
{
	static const char prefix[] = "base_model.model.";
	static const struct {
		const char *end;
		size_t letter; /* of A or B, in `end` */
		bool embedding;
	} ends[] = {{".lora_A.weight", 6, false}, {".lora_B.weight", 6, false}, {".lora_A.default.weight", 6, false},
		{".lora_B.default.weight", 6, false}, {".lora_embedding_A", 16, true}, {".lora_embedding_B", 16, true},
		{".lora_embedding_A.default", 16, true}, {".lora_embedding_B.default", 16, true}};
	size_t start = sizeof(prefix) - 1, len = strlen(name);

	if (len > VV_MAX_NAME || strncmp(name, prefix, start) != 0)
		return false;
	for (size_t i = 0; i < VV_COUNT(ends); i++) {
		size_t n = strlen(ends[i].end), at = len - n;
		if (len <= start + n || strcmp(name + at, ends[i].end) != 0)
			continue;
		out->a = ends[i].end[ends[i].letter] == 'A';
		out->embedding = ends[i].embedding;
		memcpy(out->module, name + start, at - start);
		out->module[at - start] = 0;
		memcpy(out->other, name, len + 1);
		out->other[at + ends[i].letter] = out->a ? 'B' : 'A';
		return true;
	}
	return false;
}
