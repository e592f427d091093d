/*
 * Keras' archives: a zip of the model's configuration and, in model.weights.h5, an HDF5 file of its
 * weights. Only that member is looked into.
 */
#include "format/formats.h"
#include "format/hdf5.h"
#include "format/keras_code.h"
#include "format/keras_config.h"
#include "format/zip.h"

#include "base/le.h"

static const char weights[] = "model.weights.h5";

static bool has(struct vv_span s, const char *word)
{
	size_t n = strlen(word);

	for (; s.len >= n; s = vv_span(s.ptr + 1, s.len - 1))
		if (!memcmp(s.ptr, word, n))
			return true;
	return false;
}

/*
 * Keras writes metadata.json first, which names its version; the configuration behind it may be too long
 * for the weights to be seen. The metadata's length is not known where a descriptor has it.
 */
static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	while (vv_zip_probe(head)) {
		uint64_t name = vv_get16(head.ptr + 26), body = 30 + name + vv_get16(head.ptr + 28),
			 next = body + vv_get32(head.ptr + 18);
		struct vv_span is = vv_span(head.ptr + 30, (size_t)name);

		if (name > head.len - 30)
			break;
		if (vv_span_is(is, weights))
			return VV_PROBE_YES;
		if (body < head.len && vv_span_is(is, "metadata.json") &&
			has(vv_span(head.ptr + body, (size_t)(head.len - body)), "\"keras_version\""))
			return VV_PROBE_YES;
		if (next > head.len)
			break;
		head = vv_span(head.ptr + next, head.len - (size_t)next);
	}
	return VV_PROBE_NO;
}

struct place {
	struct vv_layout_build *b;
	const struct vv_zip_member *m;
};

static void tell(void *ctx, const char *code, uint64_t off, const char *detail)
{
	struct place *p = ctx;

	vv_layout_finding(p->b, code, p->m->method ? p->m->header : p->m->off + off, "%s", detail);
}

/* What Keras would import and run for the model's layers. */
static int look_for_code(struct vv_layout_build *b, const struct vv_source *src, const struct vv_zip_member *m,
	struct vv_err *err)
{
	struct place place = {b, m};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	bool crc_ok;
	int ret = vv_zip_load(src, m, &text, &crc_ok, err);

	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		vv_layout_finding(b, "malformed", m->header, "member '%s': %s", m->name, err->msg);
		vv_err_clear(err);
		ret = 0;
	} else if (!ret) {
		ret = vv_keras_code(vv_buf_view(&text), tell, &place, err);
	}
	vv_buf_release(&text);
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	const struct vv_zip_member *config, *m;
	struct vv_zip z;
	int ret = vv_zip_read(&z, src, vv_layout_arena(b), err);

	if (ret)
		return ret;
	vv_zip_report(&z, b);
	config = vv_zip_find(&z, "config.json");
	if (config)
		ret = look_for_code(b, src, config, err);
	m = vv_zip_find(&z, weights);
	if (ret || !m)
		return ret ? ret : vv_fail(err, VV_EFORMAT, "no member %s", weights);
	if (m->method) {
		vv_layout_finding(b, "deflated", m->header, "member '%s' is compressed and kept as it is", weights);
		return 0;
	}
	ret = vv_hdf5_locate(b, src, m->off, m->len, err);
	return ret ? vv_err_in(err, "member '%s'", weights) : 0;
}

static int assemble(const struct vv_assembly *a, struct vv_sink *out, struct vv_err *err)
{
	const struct vv_source **replaced = NULL;
	struct vv_hdf5_patched p = {.n = 0};
	struct vv_arena arena = {0};
	const struct vv_zip_member *m;
	struct vv_zip z;
	int ret = vv_zip_read(&z, a->source, &arena, err);

	if (ret)
		goto out;
	m = vv_zip_find(&z, weights);
	if (!m || m->method) {
		ret = vv_fail(err, VV_ENOTSUP, "member '%s' is compressed", weights);
		goto out;
	}
	replaced = vv_arena_array(&arena, z.n, sizeof(*replaced));
	ret = replaced ? vv_hdf5_patch(&p, a, m->off, m->len, err) : vv_fail_nomem(err);
	if (ret)
		goto out;
	replaced[m - z.members] = &p.base;
	ret = vv_zip_rewrite(&z, a->source, replaced, 1, out, err);
out:
	vv_hdf5_patched_release(&p);
	vv_arena_release(&arena);
	return ret;
}

/* A member's text; empty when there is none. */
static int load(struct vv_buf *out, const struct vv_zip *z, const struct vv_source *src, const char *name,
	struct vv_err *err)
{
	const struct vv_zip_member *m = vv_zip_find(z, name);
	bool crc_ok;
	int ret = m ? vv_zip_load(src, m, out, &crc_ok, err) : 0;

	return ret ? vv_err_in(err, "member '%s'", name) : 0;
}

static int graph(struct vv_graph *out, const struct vv_source *src, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), version = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_arena arena = {0};
	struct vv_zip z;
	int ret = vv_zip_read(&z, src, &arena, err);

	if (!ret)
		ret = load(&text, &z, src, "config.json", err);
	if (!ret && !text.len)
		ret = vv_fail(err, VV_ENOTFOUND, "no member config.json");
	if (!ret)
		ret = load(&version, &z, src, "metadata.json", err);
	if (!ret)
		ret = vv_keras_config(out, vv_buf_view(&text), err);
	if (!ret && version.len)
		ret = vv_keras_version(out, vv_buf_view(&version), err);
	vv_buf_release(&text);
	vv_buf_release(&version);
	vv_arena_release(&arena);
	return ret;
}

const struct vv_format vv_format_keras = {.name = "keras", .probe = probe, .locate = locate, .assemble = assemble,
	.sets = "the same names and shapes",
	.graph = graph};
