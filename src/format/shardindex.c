/*
 * The index of a model in several files, as Hugging Face's libraries write it: "model.safetensors.index.json",
 * "pytorch_model.bin.index.json". A JSON object whose weight_map says for each tensor which file has it.
 */
#include "format/formats.h"

#include "base/map.h"
#include "format/jsonscan.h"

#include <inttypes.h>
#include <stdlib.h>

enum { SHOWN = 80 };

static const char map_key[] = "weight_map";

/* One walk through an index. */
struct walk {
	struct vv_layout_build *findings; /* NULL: they are not wanted */
	struct vv_elsewheres *out;        /* NULL: only looked at */
	struct vv_json j;
	struct vv_buf name, text;
	struct vv_map seen;
	struct vv_arena arena;
	bool found; /* the weight_map begins */
};

static int broken(const struct walk *w, const char *what, struct vv_err *err)
{
	return vv_fail(err, VV_EFORMAT, "%s at offset %zu", what, w->j.at);
}

/* "name": "file". One out of the folder is told and left out. */
static int row(struct walk *w, struct vv_err *err)
{
	uint64_t at = w->j.at;
	const char *name, *bad;
	bool added;

	if (vv_json_string(&w->j, &w->name) || vv_json_char(&w->j, ':') || vv_json_string(&w->j, &w->text))
		return broken(w, "a broken row", err);
	if (memchr(w->name.ptr, 0, w->name.len))
		return broken(w, "a name with a NUL", err);
	name = vv_arena_copy(&w->arena, vv_buf_view(&w->name));
	if (!name || !vv_map_put(&w->seen, vv_span_str(name), 1, &added))
		return vv_fail_nomem(err);
	if (!added)
		return vv_fail(err, VV_EFORMAT, "tensor '%.*s' stands twice, at offset %" PRIu64, SHOWN, name, at);
	bad = vv_elsewhere_bad(vv_buf_view(&w->text));
	if (bad && w->findings)
		vv_layout_finding(w->findings, "external-path", at, "tensor '%.*s' is in %s", SHOWN, name, bad);
	if (bad || !w->out)
		return 0;
	return vv_elsewhere_add(w->out, &(struct vv_elsewhere){.file = (const char *)w->text.ptr, .name = name, .off = UINT64_MAX},
		err);
}

static int rows(struct walk *w, struct vv_err *err)
{
	int ret = 0;

	if (w->found)
		return broken(w, "a second weight_map", err);
	w->found = true;
	if (vv_json_char(&w->j, '{'))
		return VV_NOT_THIS;
	for (bool first = true; !ret && !vv_json_peek(&w->j, '}'); first = false)
		ret = !first && vv_json_char(&w->j, ',') ? broken(w, "a broken weight_map", err) : row(w, err);
	return ret || !vv_json_char(&w->j, '}') ? ret : broken(w, "a broken weight_map", err);
}

/* JSON that is broken before a weight_map is none of this format's. */
static int object(struct walk *w, struct vv_err *err)
{
	int ret = 0;

	if (vv_json_char(&w->j, '{'))
		return VV_NOT_THIS;
	for (bool first = true; !ret && !vv_json_peek(&w->j, '}'); first = false) {
		bool bad = (!first && vv_json_char(&w->j, ',')) || vv_json_string(&w->j, &w->name) || vv_json_char(&w->j, ':');
		if (!bad && vv_span_is(vv_buf_view(&w->name), map_key))
			ret = rows(w, err);
		else if (bad || vv_json_value(&w->j, NULL))
			ret = w->found ? broken(w, "broken JSON", err) : VV_NOT_THIS;
	}
	if (!ret && !w->found)
		ret = VV_NOT_THIS;
	if (!ret && (vv_json_char(&w->j, '}') || vv_json_end(&w->j)))
		ret = broken(w, "bytes after the object", err);
	return ret;
}

static int walk(struct walk *w, const struct vv_source *src, struct vv_err *err)
{
	uint8_t *bytes = NULL;
	int ret = 0;

	if (src->size > VV_MAX_HEADER)
		return vv_fail(err, VV_ELIMIT, "an index of more than %d bytes", VV_MAX_HEADER);
	vv_buf_init(&w->name, VV_MAX_NAME);
	vv_buf_init(&w->text, VV_MAX_HEADER);
	bytes = malloc((size_t)src->size + 1);
	ret = bytes ? vv_source_read(src, 0, bytes, (size_t)src->size, err) : vv_fail_nomem(err);
	w->j = (struct vv_json){vv_span(bytes, (size_t)src->size), 0};
	if (!ret)
		ret = object(w, err);
	free(bytes);
	vv_buf_release(&w->name);
	vv_buf_release(&w->text);
	vv_map_release(&w->seen);
	vv_arena_release(&w->arena);
	return ret;
}

/* It has no tensors of its own. */
static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.findings = b};

	return walk(&w, src, err);
}

static int elsewhere(struct vv_elsewheres *out, const struct vv_source *src, struct vv_err *err)
{
	struct walk w = {.out = out};
	int ret = walk(&w, src, err);

	return ret == VV_NOT_THIS ? vv_fail(err, VV_EFORMAT, "no weight_map") : ret;
}

/* The key stands behind few others. */
static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	static const char quoted[] = "\"weight_map\"";
	struct vv_json j = {head, 0};

	if (!vv_json_peek(&j, '{'))
		return VV_PROBE_NO;
	for (size_t n = sizeof(quoted) - 1; j.at + n <= head.len; j.at++)
		if (!memcmp(head.ptr + j.at, quoted, n))
			return VV_PROBE_MAYBE;
	return VV_PROBE_NO;
}

const struct vv_format vv_format_shard_index = {
	.name = "shard-index", .probe = probe, .locate = locate, .elsewhere = elsewhere};
