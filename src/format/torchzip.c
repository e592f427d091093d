/*
 * PyTorch's zip format (1.6 and later): <top>/data.pkl is a pickle of everything but the storages,
 * whose bytes are the stored members <top>/data/<key>. After torch/serialization.py and
 * caffe2/serialize/inline_container.h.
 */
#include "format/formats.h"
#include "format/torch.h"

#include "base/le.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SMALL = 64 }; /* bytes of a member that is a word */

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	static const char first[] = "/data.pkl";
	struct vv_span name;
	size_t n;

	if (!vv_zip_probe(head))
		return VV_PROBE_NO;
	n = vv_get16(head.ptr + 26);
	if (n > head.len - 30)
		return VV_PROBE_NO;
	name = vv_span(head.ptr + 30, n);
	if (n > strlen(first) && vv_span_is(vv_span(name.ptr + n - strlen(first), strlen(first)), first))
		return VV_PROBE_YES;
	/* PyTorch itself only asks that the members share a folder, and looks for data.pkl there. */
	return n && memchr(name.ptr, '/', n) ? VV_PROBE_MAYBE : VV_PROBE_NO;
}

const char *vv_torch_member(const struct vv_torch *t, size_t i)
{
	const char *name = t->zip.members[i].name;

	return !strncmp(name, t->zip.members[0].name, t->top + 1) ? name + t->top + 1 : NULL;
}

void vv_torch_release(struct vv_torch *t)
{
	vv_torch_tree_release(&t->tree);
	vv_pickle_release(&t->pickle);
	vv_buf_release(&t->text);
}

/* --- findings --- */

static void tell(struct vv_layout_build *b, const struct vv_pickle *p, const struct vv_zip_member *m)
{
	for (size_t i = 0; b && i < p->n_findings; i++) {
		const struct vv_pickle_finding *f = &p->findings[i];
		vv_layout_finding(b, f->code, m->method ? m->header : m->off + f->off, "%s", f->detail);
	}
}

static bool is_pickle(const char *name)
{
	size_t n = strlen(name);

	return n >= 4 && !strcmp(name + n - 4, ".pkl");
}

/* A pickle that is not the archive's own: only what it would import is of interest. */
static int scan(const struct vv_source *src, const struct vv_zip_member *m, struct vv_layout_build *b, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_PICKLE);
	struct vv_pickle p = {0};
	bool crc_ok;
	int ret = vv_zip_load(src, m, &text, &crc_ok, err);

	if (!ret) {
		ret = vv_pickle_parse(&p, vv_buf_view(&text), err);
		tell(b, &p, m);
	}
	vv_pickle_release(&p);
	vv_buf_release(&text);
	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		vv_err_clear(err);
		return 0;
	}
	return ret;
}

static int scan_others(const struct vv_torch *t, const struct vv_source *src, size_t except, struct vv_layout_build *b,
	struct vv_err *err)
{
	uint64_t left = 2 * (uint64_t)VV_MAX_PICKLE;
	int ret = 0;

	for (size_t i = 0; b && i < t->zip.n && !ret; i++) {
		const struct vv_zip_member *m = &t->zip.members[i];
		if (i == except || !is_pickle(m->name))
			continue;
		if (m->raw_len > left) {
			vv_layout_finding(b, "pickle-limit", m->header, "%s: too many pickles to look into", m->name);
			break;
		}
		left -= m->raw_len;
		ret = scan(src, m, b, err);
	}
	return ret;
}

/* What scanners have stumbled over, and PyTorch does not. */
static void oddities(const struct vv_torch *t, struct vv_layout_build *b)
{
	const struct vv_zip *z = &t->zip;

	if (z->stray)
		vv_layout_finding(b, "zip-stray", z->stray_at, "%" PRIu64 " bytes that belong to no member", z->stray);
	for (size_t i = 0; i < z->n; i++) {
		const char *member = vv_torch_member(t, i);
		if (member && !strncmp(member, "code/", 5)) {
			vv_layout_finding(b, "torchscript", z->members[i].header, "a program of TorchScript: torch.jit.load takes it");
			break;
		}
	}
	for (size_t i = 0; i < z->n; i++)
		if (z->members[i].flags != z->members[i].local_flags) {
			vv_layout_finding(b, "zip-flags", z->members[i].header, "%s: flags 0x%x in the directory, 0x%x here",
				z->members[i].name, z->members[i].flags, z->members[i].local_flags);
			break;
		}
}

/* --- reading --- */

static int find_pickle(struct vv_torch *t, struct vv_err *err)
{
	const char *slash = t->zip.n ? strchr(t->zip.members[0].name, '/') : NULL;
	size_t others = 0;

	t->data_pkl = SIZE_MAX;
	if (!slash)
		return vv_fail(err, VV_EFORMAT, "an archive without a common folder");
	t->top = (size_t)(slash - t->zip.members[0].name);
	for (size_t i = 0; i < t->zip.n; i++) {
		const char *name = t->zip.members[i].name, *member = vv_torch_member(t, i), *base = strrchr(name, '/');
		if (member && !strcmp(member, "data.pkl"))
			t->data_pkl = i;
		else if (!strcmp(base ? base + 1 : name, "data.pkl"))
			others++;
	}
	if (t->data_pkl == SIZE_MAX)
		return vv_fail(err, VV_EFORMAT, "an archive without data.pkl");
	return others ? vv_fail(err, VV_EFORMAT, "an archive with more than one data.pkl") : 0;
}

static int load(const struct vv_torch *t, const struct vv_source *src, size_t i, struct vv_buf *out,
	struct vv_layout_build *b, struct vv_err *err)
{
	bool crc_ok = true;
	int ret = vv_zip_load(src, &t->zip.members[i], out, &crc_ok, err);

	if (!ret && !crc_ok && b)
		vv_layout_finding(b, "crc", t->zip.members[i].header, "%s: not the CRC-32 that the archive claims",
			t->zip.members[i].name);
	return ret;
}

/* Members that say how the others are to be read. */
static int check_order(struct vv_torch *t, const struct vv_source *src, struct vv_layout_build *b, struct vv_err *err)
{
	struct vv_buf word = VV_BUF_INIT(SMALL);
	int ret = 0;

	for (size_t i = 0; i < t->zip.n && !ret; i++) {
		const char *member = vv_torch_member(t, i);
		if (!member || strcmp(member, "byteorder") != 0)
			continue;
		ret = load(t, src, i, &word, b, err);
		vv_buf_add(&word, "", 0); /* ends the text */
		if (ret || vv_span_is(vv_buf_view(&word), "little"))
			continue;
		if (b)
			vv_layout_finding(b, "byte-order", t->zip.members[i].off, "%.32s", word.ptr ? (const char *)word.ptr : "");
		ret = vv_fail(err, VV_EFORMAT, "tensors that are not little-endian");
	}
	vv_buf_release(&word);
	return ret;
}

/* Each storage's member, which must have its size. */
static int find_storages(struct vv_torch *t, struct vv_err *err)
{
	struct vv_map by_key = {0};
	int ret = 0;

	for (size_t i = 0; i < t->zip.n && !ret; i++) {
		const char *member = vv_torch_member(t, i);
		if (member && !strncmp(member, "data/", 5) && !vv_map_put(&by_key, vv_span_str(member + 5), i, NULL))
			ret = vv_fail_nomem(err);
	}
	for (size_t i = 0; i < t->tree.n_storages && !ret; i++) {
		struct vv_torch_storage *s = &t->tree.storages[i];
		const uint64_t *at = vv_map_find(&by_key, s->key);
		const struct vv_zip_member *m;

		if (!at) {
			ret = vv_fail(err, VV_EFORMAT, "a storage that has no member");
			break;
		}
		s->member = (size_t)*at;
		m = &t->zip.members[*at];
		if ((!s->untyped && s->dtype == VV_DT_BYTES) || m->method)
			s->opaque = true;
		if (!s->opaque && m->len != s->bytes)
			ret = vv_fail(err, VV_EFORMAT, "%s has %" PRIu64 " bytes, not %" PRIu64 ", at offset %" PRIu64, m->name, m->len,
				s->bytes, m->off);
	}
	vv_map_release(&by_key);
	return ret;
}

/* Tensors of opaque storages are not told. */
static void drop_opaque(struct vv_torch_tree *tree)
{
	size_t n = 0;

	for (size_t i = 0; i < tree->n_tensors; i++)
		if (!tree->storages[tree->tensors[i].storage].opaque)
			tree->tensors[n++] = tree->tensors[i];
	tree->n_tensors = n;
}

static int read_pickle(struct vv_torch *t, const struct vv_source *src, struct vv_arena *arena,
	struct vv_layout_build *b, struct vv_err *err)
{
	const struct vv_zip_member *m = &t->zip.members[t->data_pkl];
	uint32_t off = 0;
	int ret = load(t, src, t->data_pkl, &t->text, b, err);

	if (ret)
		return ret;
	ret = vv_pickle_parse(&t->pickle, vv_buf_view(&t->text), err);
	tell(b, &t->pickle, m);
	if (ret)
		return vv_err_in(err, "%s", m->name);
	ret = vv_torch_tree_make(&t->tree, &t->pickle, arena, &off, err);
	if (ret == VV_EFORMAT && b)
		vv_layout_finding(b, "torch-tensor", m->method ? m->header : m->off + off, "%s", err->msg);
	return ret ? vv_err_in(err, "%s", m->name) : 0;
}

int vv_torch_read(struct vv_torch *t, const struct vv_source *src, struct vv_arena *arena, struct vv_layout_build *b,
	struct vv_err *err)
{
	struct vv_err later = VV_ERR_INIT;
	int ret, ret2;

	*t = (struct vv_torch){.text = VV_BUF_INIT(VV_MAX_PICKLE), .data_pkl = SIZE_MAX};
	ret = vv_zip_read(&t->zip, src, arena, err);
	if (!ret)
		ret = find_pickle(t, err);
	if (ret && ret != VV_EFORMAT && ret != VV_ELIMIT)
		return ret;
	/* Even in an archive that lies, whoever looks should see what its pickles would do. */
	ret2 = scan_others(t, src, ret ? SIZE_MAX : t->data_pkl, b, &later);
	if (ret2)
		*err = later;
	if (ret || ret2)
		return ret2 ? ret2 : ret;
	if (b)
		oddities(t, b);
	ret = read_pickle(t, src, arena, b, err);
	if (!ret)
		ret = check_order(t, src, b, err);
	if (!ret)
		ret = find_storages(t, err);
	if (!ret)
		drop_opaque(&t->tree);
	return ret;
}

/* The views of each storage, in the pickle's order. */
int vv_torch_report(const struct vv_torch *t, struct vv_layout_build *b, struct vv_err *err)
{
	const struct vv_torch_tree *tree = &t->tree;
	struct vv_view *views = vv_arena_array(vv_layout_arena(b), tree->n_tensors, sizeof(*views));
	size_t *g = vv_torch_tree_group(tree), *list = g + tree->n_storages + 1;
	int ret = views && g ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < tree->n_tensors && !ret; i++)
		views[i] = tree->tensors[list[i]].view;
	for (size_t i = 0; i < tree->n_storages && !ret; i++) {
		const struct vv_torch_storage *s = &tree->storages[i];
		const struct vv_zip_member *m = &t->zip.members[s->member];
		if (g[i + 1] > g[i])
			ret = vv_layout_tensor(b, m->off, m->len, s->dtype, views + g[i], g[i + 1] - g[i], err);
	}
	free(g);
	return ret;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	struct vv_torch t;
	int ret = vv_torch_read(&t, src, vv_layout_arena(b), b, err);

	if (!ret)
		ret = vv_torch_report(&t, b, err);
	vv_torch_release(&t);
	return ret;
}

static const struct vv_format *variant(const struct vv_source *src)
{
	return vv_torch_is_run(src) ? &vv_format_torch_dcp : &vv_format_torch;
}

const struct vv_format vv_format_torch = {.name = "torch", .probe = probe, .variant = variant, .locate = locate,
	.assemble = vv_torch_assemble, .empty = vv_torch_empty};
