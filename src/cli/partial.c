#include "cli/partial.h"

#include "cli/bytes.h"
#include "git/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MTIME_AGE_S = 2 };

/* The file just written, which must not be opened by name again: a link may stand there by then. */
struct written {
	struct vv_source base;
	int fd;
	const char *path;
};

static int read_written(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct written *w = (const struct written *)self;
	uint8_t *p = dst;

	while (len) {
		ssize_t n = pread(w->fd, p, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", w->path);
		if (!n)
			return vv_fail(err, VV_ECHANGED, "%s: became shorter while it was read", w->path);
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

/* Of the file that was written: its manifest. */
static int describe(struct vv_ctx *ctx, struct vv_partial *p, const struct vv_named *into)
{
	struct stat st;
	int ret = 0;

	if (fstat(p->draft.fd, &st))
		ret = vv_fail_sys(&ctx->err, errno, "%s", p->path);
	if (!ret) {
		struct written w = {{(uint64_t)st.st_size, read_written}, p->draft.fd, p->path};
		ret = vv_model_hash(ctx->repo.pool, &w.base, &p->text, &p->manifest, ctx->progress, &ctx->err);
	}
	/* What was read from the worktree must still be what is there. */
	if (!ret && into->file)
		ret = vv_file_unchanged(into->file, p->path, &ctx->err);
	return ret ? vv_err_in(&ctx->err, "%s", p->path) : 0;
}

int vv_partial_write(struct vv_ctx *ctx, struct vv_partial *p, struct vv_named *into, struct vv_named *from,
	const struct vv_opt_list *globs)
{
	struct vv_bytes old, new;
	int ret = vv_bytes_open(ctx, into, &old);

	vv_buf_init(&p->text, VV_MAX_MANIFEST);
	if (!ret)
		ret = vv_bytes_open(ctx, from, &new);
	if (!ret)
		ret = vv_repo_pool(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_draft_begin(&ctx->repo, p->place, &p->draft, &ctx->err);
	if (ret)
		return ret;
	ret = vv_model_replace(&old.version, &new.version, globs->v, globs->n, p->draft.fd, p->path, NULL, ctx->progress, &ctx->err);
	return ret ? vv_err_in(&ctx->err, "%s", p->path) : describe(ctx, p, into);
}

int vv_partial_merge(struct vv_ctx *ctx, struct vv_partial *p, const struct vv_merge *m, const struct vv_named *into)
{
	int ret = vv_repo_pool(&ctx->repo, &ctx->err);

	vv_buf_init(&p->text, VV_MAX_MANIFEST);
	if (!ret)
		ret = vv_draft_begin(&ctx->repo, p->place, &p->draft, &ctx->err);
	if (!ret)
		ret = vv_merge_write(m, p->draft.fd, p->path, ctx->progress, &ctx->err);
	return ret ? vv_err_in(&ctx->err, "%s", p->path) : describe(ctx, p, into);
}

int vv_partial_publish(struct vv_ctx *ctx, struct vv_partial *p, bool in_index, struct stat *st)
{
	int ret = vv_draft_publish(&p->draft, p->place, p->seen->st_mode & 07777, in_index ? MTIME_AGE_S : 0, p->seen, st,
		&ctx->err);

	return ret ? vv_err_in(&ctx->err, "%s", p->path) : 0;
}

void vv_partial_release(struct vv_partial *p)
{
	vv_draft_release(&p->draft);
	vv_buf_release(&p->text);
	vv_manifest_release(&p->manifest);
}
