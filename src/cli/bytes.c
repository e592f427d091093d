#include "cli/bytes.h"

#include "cli/whole.h"

#include <stdlib.h>

int vv_bytes_open(struct vv_ctx *ctx, const struct vv_named *n, struct vv_bytes *out)
{
	struct vv_id *ids;
	int ret = 0;

	if (n->whole) {
		out->version = (struct vv_version){n->manifest, &n->whole->group.base};
		return vv_whole_bytes(ctx, n->whole);
	}
	if (n->file) {
		out->version = (struct vv_version){n->manifest, &n->file->base};
		return 0;
	}
	if (!ctx->repo.git_dir)
		return vv_fail(&ctx->err, VV_ENOTFOUND, "%s is a manifest: its tensors are in a repository's store", n->path);
	/* A fresh clone may have none yet: what it lacks comes from a remote. */
	ret = vv_repo_store(&ctx->repo, true, &ctx->err);
	if (ret)
		return ret;
	ids = malloc((n->manifest->n_segs + 1) * sizeof(*ids));
	if (!ids)
		return vv_fail_nomem(&ctx->err);
	for (size_t i = 0; i < n->manifest->n_segs; i++)
		ids[i] = n->manifest->segs[i].id;
	ret = vv_peers_fetch(&ctx->repo, ids, n->manifest->n_segs, ctx->progress, &ctx->err);
	free(ids);
	if (!ret)
		ret = vv_model_has(ctx->repo.store, n->manifest, NULL, &ctx->err);
	vv_model_source_init(&out->stored, ctx->repo.store, n->manifest);
	out->version = (struct vv_version){n->manifest, &out->stored.base};
	return ret;
}

bool vv_bytes_here(struct vv_ctx *ctx, const struct vv_named *n)
{
	struct vv_err ignore = VV_ERR_INIT;
	bool here = !vv_repo_store(&ctx->repo, false, &ignore);

	for (size_t i = 0; n->whole && i < n->whole->n && here; i++)
		here = vv_bytes_here(ctx, &n->whole->files[i]);
	return here && (n->whole || (n->manifest && !vv_model_has(ctx->repo.store, n->manifest, NULL, &ignore)));
}
