#include "cli/recover.h"

#include "base/check.h"
#include "git/clean.h"
#include "git/dirstate.h"
#include "git/peer.h"
#include "hash/sha256.h"
#include "model/manifest.h"
#include "os/file.h"

#include <stdlib.h>

/* A model in the worktree and what the index says it holds, which need not be true any more. */
struct vv_worktree_model {
	char *path, *file;
	struct vv_manifest manifest;
};

static int add_model(struct vv_recover *r, struct vv_blobs *blobs, const struct vv_entry *e, struct vv_err *err)
{
	struct vv_worktree_model *m = &r->models[r->n_models];
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	int ret;

	*m = (struct vv_worktree_model){.path = strdup(e->path), .file = vv_repo_path(&r->ctx->repo, e->path)};
	if (!m->file || !m->path)
		return vv_fail_nomem(err);
	ret = vv_blobs_get(blobs, e->oid, &text, &why);
	if (!ret)
		ret = vv_manifest_parse(&m->manifest, vv_buf_view(&text), &why);
	vv_buf_release(&text);
	if (!ret) {
		r->n_models++;
	} else {
		free(m->path);
		free(m->file);
	}
	return why.code == VV_ENOMEM ? vv_fail_nomem(err) : 0;
}

static int read_models(struct vv_recover *r, struct vv_err *err)
{
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_entries all = {0};
	int ret = r->ctx->repo.top ? vv_tracked(&r->ctx->repo, NULL, &all, err) : 0;

	r->read = true;
	if (!ret && all.n) {
		r->models = calloc(all.n, sizeof(*r->models));
		ret = r->models ? vv_blobs_open(&blobs, &r->ctx->repo, err) : vv_fail_nomem(err);
	}
	for (size_t i = 0; i < all.n && !ret; i++)
		ret = add_model(r, &blobs, &all.v[i], err);
	vv_blobs_close(&blobs);
	vv_entries_release(&all);
	return ret;
}

/* Appends the bytes if they are those of the id. 1 when not. */
static int take(const struct vv_source *src, uint64_t off, const struct vv_id *id, uint64_t size, struct vv_buf *out,
	struct vv_err *err)
{
	struct vv_id have;
	size_t len;
	uint8_t *p = vv_to_size(size, &len) ? NULL : vv_buf_reserve(out, len);

	if (!p)
		return vv_fail(err, VV_ELIMIT, "too large to hold in memory");
	if (vv_source_read(src, off, p, len, err))
		return 1;
	vv_sha256(vv_span(p, len), &have);
	if (!vv_id_eq(&have, id))
		return 1;
	out->len += len;
	return 0;
}

/* A tracked directory's file of the manifest; owned by the caller. */
static char *file_of(const char *manifest, const struct vv_manifest_file *f)
{
	char *dir = vv_dir_of_path(manifest), *path = dir ? vv_join(dir, f->path) : NULL;

	free(dir);
	return path;
}

static bool from_dir(const struct vv_worktree_model *m, const struct vv_id *id, uint64_t size, struct vv_buf *out)
{
	struct vv_err ignore = VV_ERR_INIT;
	bool found = false;

	for (size_t i = 0; i < m->manifest.n_files && !found; i++) {
		const struct vv_manifest_file *f = &m->manifest.files[i];
		for (size_t k = 0; k < f->n_segs && !found; k++) {
			const struct vv_manifest_seg *s = &m->manifest.segs[f->seg + k];
			struct vv_file file = {.fd = -1};
			char *path = vv_id_eq(&s->id, id) && s->seg.len == size ? file_of(m->file, f) : NULL;

			found = path && !vv_file_open(&file, path, &ignore) &&
				!take(&file.base, s->seg.off - f->off, id, size, out, &ignore);
			vv_file_close(&file);
			free(path);
		}
	}
	return found;
}

static bool from_file(const struct vv_worktree_model *m, const struct vv_id *id, uint64_t size, struct vv_buf *out)
{
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_file f;
	bool found = false;

	if (vv_manifest_is_dir(&m->manifest))
		return from_dir(m, id, size, out);
	for (size_t i = 0; i < m->manifest.n_segs && !found; i++) {
		const struct vv_manifest_seg *s = &m->manifest.segs[i];
		if (!vv_id_eq(&s->id, id) || s->seg.len != size || vv_file_open(&f, m->file, &ignore))
			continue;
		found = !take(&f.base, s->seg.off, id, size, out, &ignore);
		vv_file_close(&f);
	}
	return found;
}

struct asking {
	const struct vv_id *id;
	uint64_t size;
	struct vv_buf *out;
	bool found;
};

/* An object of another store as a source. */
struct peer_object {
	struct vv_source base;
	struct vv_store *store;
	const struct vv_id *id;
};

static int read_peer(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct peer_object *p = (const struct peer_object *)self;

	return vv_store_read(p->store, p->id, off, dst, len, err);
}

static int ask_peer(void *arg, struct vv_store *peer, struct vv_err *err VV_UNUSED)
{
	struct asking *a = arg;
	struct peer_object src = {{a->size, read_peer}, peer, a->id};
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_object_info info;

	if (!vv_store_find(peer, a->id, &info, &ignore) && info.size == a->size)
		a->found = !take(&src.base, 0, a->id, a->size, a->out, &ignore);
	return a->found;
}

int vv_recover_bytes(
	struct vv_recover *r, const struct vv_id *id, uint64_t size, struct vv_buf *out, const char **where, struct vv_err *err)
{
	struct asking a = {id, size, out, false};
	int ret = r->read ? 0 : read_models(r, err);

	for (size_t i = 0; i < r->n_models && !ret && !a.found; i++)
		a.found = from_file(&r->models[i], id, size, out);
	*where = a.found ? "its bytes were in the worktree" : "its bytes were in a local remote";
	if (!ret && !a.found)
		ret = vv_peers_each(&r->ctx->repo, ask_peer, &a, err);
	return ret ? ret : a.found ? 0 : vv_fail(err, VV_ENOTFOUND, "its bytes are nowhere else");
}

static int id_cmp(const void *a, const void *b)
{
	return vv_id_cmp(a, b);
}

/* Puts the file again, if it can be read. */
static int add_again(struct vv_recover *r, const char *path, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	struct vv_added added;

	/* A file that cannot be read is no source; a store that cannot be written ends it all. */
	if (!vv_add_file(&r->ctx->repo, path, &added, r->ctx->progress, &why))
		vv_added_release(&added);
	else if (why.code == VV_EIO || why.code == VV_ENOMEM) {
		*err = why;
		return why.code;
	}
	return 0;
}

static int add_dir_again(struct vv_recover *r, const struct vv_worktree_model *m, const struct vv_id *ids, size_t n,
	struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < m->manifest.n_files && !ret; i++) {
		const struct vv_manifest_file *f = &m->manifest.files[i];
		bool wanted = false;
		char *path;

		for (size_t k = 0; k < f->n_segs && !wanted; k++)
			wanted = bsearch(&m->manifest.segs[f->seg + k].id, ids, n, sizeof(*ids), id_cmp);
		path = wanted ? file_of(m->path, f) : NULL;
		if (path)
			ret = add_again(r, path, err);
		free(path);
	}
	return ret;
}

int vv_recover_missing(struct vv_recover *r, const struct vv_id *ids, size_t n, struct vv_err *err)
{
	int ret = r->read ? 0 : read_models(r, err);

	for (size_t i = 0; i < r->n_models && !ret; i++) {
		const struct vv_manifest *m = &r->models[i].manifest;
		bool wanted = false;
		if (vv_manifest_is_dir(m)) {
			ret = add_dir_again(r, &r->models[i], ids, n, err);
			continue;
		}
		for (size_t k = 0; k < m->n_segs && !wanted; k++)
			wanted = bsearch(&m->segs[k].id, ids, n, sizeof(*ids), id_cmp);
		if (!wanted || !vv_exists(r->models[i].file))
			continue;
		ret = add_again(r, r->models[i].path, err);
	}
	return ret;
}

void vv_recover_release(struct vv_recover *r)
{
	for (size_t i = 0; i < r->n_models; i++) {
		vv_manifest_release(&r->models[i].manifest);
		free(r->models[i].path);
		free(r->models[i].file);
	}
	free(r->models);
}
