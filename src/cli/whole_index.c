/* A file that tells of tensors in others: a checkpoint's index, a model with external data. */
#define _GNU_SOURCE
#include "cli/whole.h"

#include "base/map.h"
#include "os/file.h"
#include "os/place.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_FILES = 10000 };

struct finder {
	struct vv_ctx *ctx;
	struct vv_named *n;
	struct vv_elsewheres e;
	struct vv_named *files; /* the first is empty until `n` is moved there */
	size_t n_files;
	size_t *file_of;        /* for each item */
	struct vv_map by_path;  /* → file's number; SIZE_MAX: it is not there */
};

/* On disk nothing is followed, neither a link in the file's own folders nor one in its place. */
static bool is_plain_file(const struct finder *f, const char *file)
{
	struct vv_place place = VV_PLACE_INIT;
	struct vv_err ignore = VV_ERR_INIT;
	char *own = f->n->outside ? strdup(f->n->path) : vv_repo_path(&f->ctx->repo, f->n->path), *slash;
	struct stat st;
	bool yes = false;
	int root = -1;

	if (own) {
		slash = strrchr(own, '/');
		if (slash)
			slash[1] = 0;
		root = open(slash ? own : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (root >= 0 && !vv_place_open(&place, root, file, &ignore))
		yes = !fstatat(place.dirfd, place.name, &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode);
	vv_place_release(&place);
	if (root >= 0)
		close(root);
	free(own);
	return yes;
}

/* Opens the file at `path`, of which the index says `file`. 1: there is none that can be read. */
static int open_file(struct finder *f, const char *path, const char *file, struct vv_named *out)
{
	struct vv_ctx *ctx = f->ctx;
	int ret;

	if (!f->n->rev && !is_plain_file(f, file)) {
		vv_warn("%s tells of tensors in %s: no such file", f->n->path, path);
		return 1;
	}
	ret = f->n->outside ? vv_named_open(ctx, path, out) : vv_named_at(ctx, f->n->rev, path, out);
	if (!ret || ret == VV_ENOMEM)
		return ret;
	vv_warn("%s tells of tensors in %s: %s", f->n->path, path, ctx->err.msg);
	vv_err_clear(&ctx->err);
	return 1;
}

static int find_file(struct finder *f, const struct vv_elsewhere *e, size_t *number)
{
	struct vv_buf path = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_named *files;
	uint64_t *known;
	char *kept;
	int ret;

	vv_elsewhere_file(&path, e, f->n->path);
	vv_buf_add(&path, "", 1);
	ret = vv_buf_check(&path, &f->ctx->err);
	known = ret ? NULL : vv_map_find(&f->by_path, vv_span_str((char *)path.ptr));
	if (ret || known)
		goto out;
	kept = vv_arena_copy(&f->e.arena, vv_span_str((char *)path.ptr));
	files = realloc(f->files, (f->n_files + 1) * sizeof(*files));
	if (files)
		f->files = files;
	known = kept && files ? vv_map_put(&f->by_path, vv_span_str(kept), SIZE_MAX, NULL) : NULL;
	if (!known) {
		ret = vv_fail_nomem(&f->ctx->err);
	} else if (f->n_files == MAX_FILES) {
		ret = vv_fail(&f->ctx->err, VV_ELIMIT, "%s: tensors in more than %d files", f->n->path, MAX_FILES);
	} else {
		/* What stands behind the index's own name is one component. */
		const char *slash = strrchr(kept, '/');
		ret = open_file(f, kept, e->suffix && slash ? slash + 1 : e->suffix ? kept : e->file, &files[f->n_files]);
		if (!ret)
			*known = f->n_files++;
	}
	ret = ret > 0 ? 0 : ret;
out:
	if (!ret)
		*number = (size_t)*known;
	vv_buf_release(&path);
	return ret;
}

/* What it tells of; no items when its bytes are not here, or not as they should be. */
static int read_index(struct finder *f)
{
	struct vv_ctx *ctx = f->ctx;
	struct vv_bytes bytes;
	int ret = vv_bytes_open(ctx, f->n, &bytes);

	if (!ret)
		ret = vv_elsewhere_read(vv_format_find(vv_span_str(f->n->manifest->format)), bytes.version.bytes, &f->e, &ctx->err);
	if (ret && ret != VV_ENOMEM) {
		vv_warn("%s: only this file is looked at: %s", f->n->path, ctx->err.msg);
		vv_err_clear(&ctx->err);
		ret = 0;
	}
	return ret;
}

bool vv_names_others(const struct vv_manifest *m)
{
	const struct vv_format *f = vv_format_find(vv_span_str(m->format));

	return f && f->elsewhere;
}

int vv_whole_index(struct vv_ctx *ctx, struct vv_named *n, bool compare)
{
	struct finder f = {.ctx = ctx, .n = n, .n_files = 1, .files = calloc(1, sizeof(*f.files))};
	struct vv_named whole;
	int ret = f.files ? read_index(&f) : vv_fail_nomem(&ctx->err);

	f.file_of = calloc(f.e.n + 1, sizeof(*f.file_of));
	if (!ret && !f.file_of)
		ret = vv_fail_nomem(&ctx->err);
	for (size_t i = 0; i < f.e.n && !ret; i++)
		ret = find_file(&f, &f.e.items[i], &f.file_of[i]);
	if (!ret && f.n_files > 1) {
		f.files[0] = *n;
		*n = (struct vv_named){0};
		ret = vv_whole_indexed(ctx, f.files, f.n_files, &f.e, f.file_of, compare, &whole);
		f.files = NULL;
		if (!ret)
			*n = whole;
	}
	vv_whole_drop(f.files, f.n_files);
	vv_elsewheres_release(&f.e);
	vv_map_release(&f.by_path);
	free(f.file_of);
	return ret;
}
