#include "git/threeway.h"

#include "git/peer.h"
#include "model/assembly.h"
#include "model/dirmerge.h"
#include "os/file.h"

#include <stdlib.h>

static const char *const names[] = {"ours", "theirs", "the merge base"};

void vv_threeway_init(struct vv_threeway *t, struct vv_repo *r, const char *path)
{
	*t = (struct vv_threeway){.repo = r, .path = path, .unmixed = VV_ERR_INIT};
	for (size_t i = 0; i < VV_COUNT(t->side); i++)
		vv_buf_init(&t->side[i].text, VV_MAX_MANIFEST);
}

void vv_threeway_release(struct vv_threeway *t)
{
	vv_merge_release(&t->plan);
	for (size_t i = 0; i < VV_COUNT(t->side); i++) {
		vv_manifest_release(&t->side[i].m);
		vv_buf_release(&t->side[i].text);
	}
}

int vv_threeway_parse(struct vv_threeway *t, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(t->side) && !ret; i++) {
		struct vv_threeway_side *s = &t->side[i];
		if (!s->text.len)
			continue;
		vv_git_blob_oid(vv_buf_view(&s->text), t->repo->sha256, s->oid);
		ret = vv_manifest_parse(&s->m, vv_buf_view(&s->text), err);
		if (ret)
			vv_err_in(err, "%s: %s", t->path, names[i]);
	}
	if (!ret && (!t->side[VV_MERGE_OURS].text.len || !t->side[VV_MERGE_THEIRS].text.len))
		ret = vv_fail(err, VV_ECONFLICT, "%s: one side is empty", t->path);
	return ret;
}

bool vv_threeway_is_dir(const struct vv_threeway *t, enum vv_merge_side side)
{
	return t->side[side].m.format && vv_manifest_is_dir(&t->side[side].m);
}

/* --- what is read is fetched first --- */

struct wanted {
	struct vv_id *v;
	size_t n, cap;
};

static int want(void *arg, const struct vv_manifest_seg *seg, struct vv_err *err)
{
	struct wanted *w = arg;

	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		struct vv_id *v = realloc(w->v, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		w->v = v;
		w->cap = cap;
	}
	w->v[w->n++] = seg->id;
	return 0;
}

/* Frees the list. What only lies on another machine is copied here; VV_ENOTFOUND names what nobody near has. */
static int fetch(struct vv_threeway *t, struct wanted *w, struct vv_err *err)
{
	struct vv_object_info info;
	int ret = vv_repo_store(t->repo, true, err);

	if (!ret && w->n)
		ret = vv_peers_fetch(t->repo, w->v, w->n, NULL, err);
	if (!ret)
		ret = vv_store_refresh(t->repo->store, err);
	for (size_t i = 0; i < w->n && !ret; i++)
		if ((ret = vv_store_find(t->repo->store, &w->v[i], &info, err)))
			vv_err_in(err, "%s", t->path);
	free(w->v);
	return ret;
}

static int fetch_sides(struct vv_threeway *t, bool all, struct vv_err *err)
{
	struct wanted w = {0};
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(t->side); i++)
		for (size_t k = 0; k < t->side[i].m.n_segs && !ret; k++)
			if (all || vv_merge_is_frame(&t->side[i].m.segs[k].seg))
				ret = want(&w, &t->side[i].m.segs[k], err);
	if (ret)
		free(w.v);
	return ret ? ret : fetch(t, &w, err);
}

/* --- the plan --- */

static bool same_file(const struct vv_threeway *t, enum vv_merge_side a, enum vv_merge_side b)
{
	return t->side[a].text.len && t->side[b].text.len && vv_id_eq(&t->side[a].m.sha256, &t->side[b].m.sha256);
}

static int plan(struct vv_threeway *t, struct vv_err *err)
{
	return vv_merge_plan(&t->plan, t->side[VV_MERGE_BASE].text.len ? &t->side[VV_MERGE_BASE].v : NULL,
		&t->side[VV_MERGE_OURS].v, &t->side[VV_MERGE_THEIRS].v, err);
}

/* --- directories: their files' lines are all that it takes --- */

struct collecting {
	struct vv_merge *m;
	size_t cap;
	bool no_memory;
};

static enum vv_merge_side collect(void *arg, const char *path, enum vv_merge_reason reason)
{
	struct collecting *c = arg;
	struct vv_merge *m = c->m;

	if (m->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;
		struct vv_merge_item *items = realloc(m->items, cap * sizeof(*items));
		c->no_memory |= !items;
		if (!items)
			return VV_MERGE_OURS;
		m->items = items;
		c->cap = cap;
	}
	m->items[m->n++] = (struct vv_merge_item){.name = path, .take = VV_MERGE_OURS, .reason = reason, .changed = true};
	m->n_conflicts++;
	return VV_MERGE_OURS;
}

/* `build` may be of any outcome afterwards: it is released by the caller. */
static int walk_dirs(struct vv_threeway *t, struct vv_dir_build *build,
	enum vv_merge_side (*fn)(void *arg, const char *path, enum vv_merge_reason reason), void *arg, struct vv_err *err)
{
	const struct vv_threeway_side *base = &t->side[VV_MERGE_BASE];
	size_t n;

	return vv_dir_merge(build, base->text.len ? &base->m : NULL, &t->side[VV_MERGE_OURS].m, &t->side[VV_MERGE_THEIRS].m, fn,
		arg, &n, err);
}

static int plan_dirs(struct vv_threeway *t, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct collecting c = {.m = &t->plan};
	int ret;

	for (enum vv_merge_side k = VV_MERGE_OURS; k <= VV_MERGE_BASE; k++)
		t->plan.sides[k] = t->side[k].text.len ? &t->side[k].v : NULL;
	ret = walk_dirs(t, &build, collect, &c, err);
	if (!ret && c.no_memory)
		ret = vv_fail_nomem(err);
	vv_dir_build_release(&build);
	return ret;
}

static enum vv_merge_side take_item(void *arg, const char *path VV_UNUSED, enum vv_merge_reason reason VV_UNUSED)
{
	struct vv_merge_item **next = arg;

	return (*next)++->take;
}

static int make_dirs(struct vv_threeway *t, struct vv_buf *text, struct vv_err *err)
{
	struct vv_dir_build build = {0};
	struct vv_merge_item *next = t->plan.items;
	int ret = walk_dirs(t, &build, take_item, &next, err);

	if (!ret && (ret = vv_dir_build_end(&build, text, NULL, err)) == VV_EFORMAT)
		ret = vv_fail(err, VV_ECONFLICT, "%s: a file of one side lies where the other has a folder", t->path);
	vv_dir_build_release(&build);
	return ret;
}

/* --- models --- */

static int plan_model(struct vv_threeway *t, struct vv_err *err)
{
	bool plain = same_file(t, VV_MERGE_OURS, VV_MERGE_THEIRS) || same_file(t, VV_MERGE_BASE, VV_MERGE_OURS) ||
		same_file(t, VV_MERGE_BASE, VV_MERGE_THEIRS);
	int ret = vv_repo_store(t->repo, true, err);

	for (size_t i = 0; i < VV_COUNT(t->side) && !ret; i++) {
		struct vv_threeway_side *s = &t->side[i];
		vv_model_source_init(&s->bytes, t->repo->store, &s->m);
		s->v = (struct vv_version){&s->m, &s->bytes.base};
	}
	if (!ret && !plain)
		ret = fetch_sides(t, false, err);
	if (!ret) {
		ret = plan(t, err);
		/* Some formats tell what surrounds tensors only by writing a file. */
		if (ret == VV_ENOTFOUND) {
			vv_err_clear(err);
			ret = fetch_sides(t, true, err);
			if (!ret)
				ret = plan(t, err);
		}
	}
	return ret;
}

int vv_threeway_plan(struct vv_threeway *t, struct vv_err *err)
{
	bool ours = vv_threeway_is_dir(t, VV_MERGE_OURS), theirs = vv_threeway_is_dir(t, VV_MERGE_THEIRS);
	bool base = vv_threeway_is_dir(t, VV_MERGE_BASE);

	t->dirs = ours && theirs && (base || !t->side[VV_MERGE_BASE].text.len);
	if (!t->dirs && (ours || theirs || base))
		return vv_fail(err, VV_ECONFLICT, "%s: a directory on one side, a model on the other", t->path);
	return t->dirs ? plan_dirs(t, err) : plan_model(t, err);
}

/* --- the file --- */

/* The mixed tensors: a file of their own, which nobody sees. */
struct mixed {
	struct vv_temp temp;
	struct vv_file file;
	struct vv_buf text;
	struct vv_manifest m;
	struct vv_version v;
};

static int mix(struct vv_threeway *t, struct vv_policy *p, struct mixed *x, struct vv_err *err)
{
	struct vv_fd_sink sink;
	size_t n;
	int ret = vv_temp_open_private(&x->temp, t->repo->state_dir, err);

	if (ret)
		return ret;
	vv_fd_sink_init(&sink, x->temp.fd, t->path, 0, NULL);
	ret = vv_policy_mix(p, &t->plan, t->repo->pool, &sink.base, &t->unmixed);
	if (ret) {
		/* The numbers are what is wrong: that is a conflict, and no reason to stop. */
		if (ret != VV_EFORMAT && ret != VV_EUSAGE && ret != VV_ENOTSUP) {
			*err = t->unmixed;
			return ret;
		}
		vv_policy_unmix(p, &t->plan);
		vv_temp_release(&x->temp);
		return vv_policy_apply(p, t->path, &t->plan, &n, err);
	}
	ret = vv_file_open_temp(&x->file, &x->temp, err);
	if (!ret)
		ret = vv_model_hash(t->repo->pool, &x->file.base, &x->text, &x->m, NULL, err);
	x->v = (struct vv_version){&x->m, &x->file.base};
	t->plan.mixed = &x->v;
	return ret;
}

/* Writes the merged file beside the store and puts it, as varve add would: only new tensors cost anything. */
static int assemble(struct vv_threeway *t, struct vv_buf *text, struct vv_err *err)
{
	const struct vv_manifest *parents[] = {&t->side[VV_MERGE_OURS].m, &t->side[VV_MERGE_THEIRS].m};
	struct vv_temp temp = VV_TEMP_INIT;
	struct vv_file f = {.fd = -1};
	int ret = vv_temp_open_private(&temp, t->repo->state_dir, err);

	if (!ret)
		ret = vv_merge_write_ours(&t->plan, temp.fd, t->path, NULL, err);
	if (!ret)
		ret = vv_file_open_temp(&f, &temp, err);
	if (!ret)
		ret = vv_model_put(t->repo->store, &f.base, parents, 2, text, NULL, NULL, NULL, err);
	vv_file_close(&f);
	vv_temp_release(&temp);
	return ret;
}

static int make(struct vv_threeway *t, struct vv_policy *p, struct mixed *x, struct vv_buf *text,
	struct vv_err *err)
{
	enum vv_merge_result outcome = vv_merge_outcome(&t->plan);
	struct wanted w = {0};
	int ret;

	if (outcome == VV_MERGE_ASSEMBLED) {
		ret = vv_merge_reads(&t->plan, want, &w, err);
		if (ret)
			free(w.v);
		else
			ret = fetch(t, &w, err);
		if (!ret)
			ret = vv_repo_state(t->repo, err);
		while (!ret && !t->plan.mixed && vv_policy_mixes(&t->plan))
			ret = mix(t, p, x, err);
		if (ret)
			return ret;
		outcome = vv_merge_outcome(&t->plan);
	}
	if (outcome == VV_MERGE_ASSEMBLED)
		return assemble(t, text, err);
	vv_buf_span(text, vv_buf_view(&t->side[outcome == VV_MERGE_IS_OURS ? VV_MERGE_OURS : VV_MERGE_THEIRS].text));
	return vv_buf_check(text, err);
}

int vv_threeway_make(
	struct vv_threeway *t, struct vv_policy *p, struct vv_buf *text, struct vv_err *err)
{
	struct mixed x = {.temp = VV_TEMP_INIT, .file = {.fd = -1}, .text = VV_BUF_INIT(VV_MAX_MANIFEST)};
	int ret = t->dirs ? make_dirs(t, text, err) : make(t, p, &x, text, err);

	t->plan.mixed = NULL;
	vv_file_close(&x.file);
	vv_temp_release(&x.temp);
	vv_manifest_release(&x.m);
	vv_buf_release(&x.text);
	return ret;
}
