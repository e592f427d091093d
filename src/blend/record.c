#include "blend/record.h"

#include "base/check.h"
#include "base/le.h"
#include "base/quote.h"

#include <inttypes.h>
#include <stdlib.h>

#define KEY "varve.merge"

/* --- writing --- */

static bool put(json_t *o, const char *key, json_t *v)
{
	return !json_object_set_new(o, key, v);
}

/* NULL when memory is gone. jansson does not look whether a key was written: the text is read back. */
static char *dump(const json_t *o, size_t flags)
{
	char *text = o ? json_dumps(o, flags) : NULL;
	json_t *back = text ? json_loads(text, 0, NULL) : NULL;

	if (!back || !json_equal(back, o)) {
		free(text);
		text = NULL;
	}
	json_decref(back);
	return text;
}

static bool is_utf8(const char *s)
{
	struct vv_span left = vv_span_str(s);
	uint32_t cp;

	for (size_t n; left.len; left = vv_span(left.ptr + n, left.len - n))
		if (!(n = vv_utf8(left, &cp)))
			return false;
	return true;
}

static json_t *input_json(const struct vv_record_input *in)
{
	char hex[VV_ID_HEX + 1];
	json_t *o = json_object();
	bool good = put(o, "path", json_string(is_utf8(in->path) ? in->path : "?"));

	good = good && put(o, "sha256", json_string(vv_id_hex(&in->sha256, hex)));
	if (in->manifest[0])
		good = good && put(o, "manifest", json_string(in->manifest));
	if (good)
		return o;
	json_decref(o);
	return NULL;
}

int vv_record_emit(
	struct vv_buf *out, const struct vv_recipe *r, const struct vv_record_input *in, struct vv_err *err)
{
	json_t *list = json_array(), *o = json_object();
	char *text = NULL;
	bool good = true;

	for (size_t i = 0; i < r->n_models; i++)
		good &= !json_array_append_new(list, input_json(&in[i]));
	good &= put(o, "record", json_integer(VV_MERGE_RECORD));
	good &= put(o, "varve", json_string(VV_VERSION));
	good &= put(o, "inputs", list);
	good &= put(o, "recipe", vv_recipe_json(r));
	if (good)
		text = dump(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(o);
	if (!text)
		return vv_fail_nomem(err);
	vv_buf_str(out, text);
	free(text);
	return vv_buf_check(out, err);
}

/* --- in a file --- */

/* The metadata of a safetensors file; new. NULL when it has none that can be read. *ret: the source failed. */
static json_t *metadata(const struct vv_version *v, int *ret, struct vv_err *err)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_HEADER);
	json_t *all, *m = NULL;
	uint8_t raw[8];
	uint64_t len;
	void *p;

	*ret = 0;
	if (strcmp(v->m->format, "safetensors") != 0 || v->bytes->size < 8)
		return NULL;
	*ret = vv_source_read(v->bytes, 0, raw, 8, err);
	len = vv_get64(raw);
	if (*ret || len > VV_MAX_HEADER || len > v->bytes->size - 8)
		return NULL;
	p = vv_buf_reserve(&head, (size_t)len);
	*ret = p ? vv_source_read(v->bytes, 8, p, (size_t)len, err) : vv_fail_nomem(err);
	if (!*ret) {
		all = json_loadb(p, (size_t)len, 0, NULL);
		m = json_incref(json_object_get(all, "__metadata__"));
		/* A manifest of tensors says that it could be read: else memory is gone. */
		if (!all)
			*ret = vv_fail(err, VV_ENOMEM, "the header of %" PRIu64 " bytes cannot be read", len);
		json_decref(all);
	}
	vv_buf_release(&head);
	return m;
}

int vv_record_head(struct vv_buf *out, const struct vv_version *like, const char *text, struct vv_err *err)
{
	int ret;
	json_t *old = metadata(like, &ret, err), *new = json_object(), *v;
	size_t at = out->len;
	bool good = true;
	char *all = NULL;
	const char *key;

	json_object_foreach(old, key, v)
		if (json_is_string(v) && strcmp(key, KEY) != 0)
			good &= !json_object_set(new, key, v);
	if (!old)
		good &= !json_object_set_new(new, "format", json_string("pt"));
	good &= !json_object_set_new(new, KEY, json_string(text));
	v = json_pack("{s:o}", "__metadata__", new);
	if (!ret && good)
		all = dump(v, JSON_COMPACT);
	if (!ret && !all)
		ret = vv_fail_nomem(err);
	if (!ret) {
		vv_buf_le(out, 0, 8);
		vv_buf_str(out, all);
		while (out->len % 8 && !out->failed)
			vv_buf_char(out, ' ');
		ret = vv_buf_check(out, err);
	}
	if (!ret)
		vv_put64(out->ptr + at, out->len - at - 8);
	free(all);
	json_decref(v);
	json_decref(old);
	return ret;
}

/* --- reading --- */

static int bad(struct vv_err *err, const char *what)
{
	return vv_fail(err, VV_EFORMAT, "its record of a merge has no %s", what);
}

static int read_inputs(struct vv_record *r, const json_t *list, struct vv_err *err)
{
	size_t i, n = json_array_size(list);
	const json_t *o;

	if (n != r->r.n_models)
		return bad(err, "input for each model");
	r->in = vv_arena_array(&r->arena, n + 1, sizeof(*r->in));
	if (!r->in)
		return vv_fail_nomem(err);
	json_array_foreach(list, i, o) {
		const char *path = json_string_value(json_object_get(o, "path")), *sha = json_string_value(json_object_get(o, "sha256")),
			*manifest = json_string_value(json_object_get(o, "manifest"));
		if (!path || !sha || strlen(sha) != VV_ID_HEX || vv_id_parse(&r->in[i].sha256, vv_span_str(sha)))
			return bad(err, "path and sha256 for each input");
		if (manifest && strspn(manifest, "0123456789abcdef") != strlen(manifest))
			return bad(err, "name for git where it says one");
		r->in[i].path = vv_arena_copy(&r->arena, vv_span_str(path));
		r->in[i].manifest = vv_arena_copy(&r->arena, vv_span_str(manifest ? manifest : ""));
		if (!r->in[i].path || !r->in[i].manifest)
			return vv_fail_nomem(err);
	}
	return 0;
}

/* The recipe's models are "0", "1", …, but need not come in that order: the inputs are put in the recipe's. */
static int sort_inputs(struct vv_record *r, struct vv_err *err)
{
	size_t n = r->r.n_models;
	struct vv_record_input *sorted = vv_arena_array(&r->arena, n + 1, sizeof(*sorted));

	if (!sorted)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < n; i++) {
		char *end;
		unsigned long k = strtoul(r->r.models[i], &end, 10);
		if (*end || k >= n)
			return bad(err, "such model");
		sorted[i] = r->in[k];
	}
	r->in = sorted;
	return 0;
}

static int parse(struct vv_record *out, const json_t *o, struct vv_err *err)
{
	const char *made_by = json_string_value(json_object_get(o, "varve"));
	json_int_t version = json_integer_value(json_object_get(o, "record"));
	char *recipe;
	int ret;

	if (version > VV_MERGE_RECORD)
		return vv_fail(err, VV_ENOTSUP, "its record of a merge is of version %lld, of a newer varve", (long long)version);
	recipe = json_dumps(json_object_get(o, "recipe"), JSON_COMPACT | JSON_ENCODE_ANY);
	if (version < 1 || !made_by || !recipe) {
		free(recipe);
		return bad(err, "version and recipe");
	}
	out->made_by = vv_arena_copy(&out->arena, vv_span_str(made_by));
	ret = vv_recipe_parse(&out->r, vv_span_str(recipe), "its record of a merge", err);
	free(recipe);
	if (!ret)
		ret = read_inputs(out, json_object_get(o, "inputs"), err);
	return ret ? ret : sort_inputs(out, err);
}

int vv_record_read(struct vv_record *out, const struct vv_version *v, struct vv_err *err)
{
	int ret;
	json_t *m = metadata(v, &ret, err), *o = NULL;
	const char *text = json_string_value(json_object_get(m, KEY));

	*out = (struct vv_record){.r = {.base = SIZE_MAX, .tokenizer = SIZE_MAX}};
	if (!ret && !text)
		ret = vv_fail(err, VV_ENOTFOUND, "it has no record of a merge by varve");
	if (!ret) {
		out->text = vv_arena_copy(&out->arena, vv_span_str(text));
		o = json_loads(text, 0, NULL);
		ret = out->text ? parse(out, o, err) : vv_fail_nomem(err);
	}
	json_decref(o);
	json_decref(m);
	if (ret)
		vv_record_release(out);
	return ret;
}

void vv_record_release(struct vv_record *r)
{
	vv_recipe_release(&r->r);
	vv_arena_release(&r->arena);
	*r = (struct vv_record){.r = {.base = SIZE_MAX, .tokenizer = SIZE_MAX}};
}
