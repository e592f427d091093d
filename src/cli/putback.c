#define _GNU_SOURCE
#include "cli/putback.h"

#include "git/inside.h"
#include "git/sync.h"
#include "model/manifest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

int vv_putback_open(struct vv_putback *p, struct vv_ctx *ctx)
{
	int ret;

	*p = (struct vv_putback){.ctx = ctx, .refresh = VV_BUF_INIT(VV_MAX_TEXT), .root = -1};
	ret = vv_repo_state(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_statcache_open(&p->cache, &ctx->repo, &ctx->err);
	if (!ret && (p->root = open(ctx->repo.top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		ret = vv_fail_sys(&ctx->err, errno, "%s", ctx->repo.top);
	return ret;
}

void vv_putback_release(struct vv_putback *p)
{
	if (p->ctx && p->root >= 0)
		close(p->root);
	vv_statcache_release(&p->cache);
	vv_buf_release(&p->refresh);
}

bool vv_putback_in_index(struct vv_ctx *ctx, const char *path, const char *oid)
{
	struct vv_err ignore = VV_ERR_INIT;
	char *name = NULL, *have = NULL;
	bool yes = asprintf(&name, ":0:%s", path) >= 0 &&
		!VV_GIT_LINE(&ctx->repo, &have, &ignore, "rev-parse", "--verify", "-q", name) && !strcmp(have, oid);

	free(name);
	free(have);
	return yes;
}

int vv_putback_note(struct vv_putback *p, const char *path, const struct stat *st, const char *oid, struct vv_manifest *m,
	bool in_index)
{
	struct vv_err *err = &p->ctx->err, ignore = VV_ERR_INIT;
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret = vv_statcache_set(&p->cache, path, st, oid, err);

	if (ret || !in_index)
		return ret;
	ret = vv_manifest_emit(m, &text, err);
	if (!ret && !vv_inside_put(&p->ctx->repo, oid, vv_buf_view(&text), &ignore))
		vv_buf_add(&p->refresh, path, strlen(path) + 1);
	vv_buf_release(&text);
	return ret;
}

int vv_putback_end(struct vv_putback *p)
{
	struct vv_repo *repo = &p->ctx->repo;
	struct vv_err ignore = VV_ERR_INIT;
	int ret = 0;

	/* The models are there. What cannot be noted, git will read. */
	if (!vv_statcache_write(&p->cache, &ignore))
		ret = vv_refresh_index(repo, vv_buf_view(&p->refresh), &p->ctx->err);
	if (p->refresh.len)
		vv_inside_clear(repo);
	return ret;
}
