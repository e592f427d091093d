/* Revisions on the command line. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int resolve(struct vv_ctx *ctx, const char *rev, const char *type, char **oid)
{
	char *word = NULL;
	struct vv_err why = VV_ERR_INIT;
	int ret;

	/* "REV:path" cannot be peeled: the path would take in what follows. */
	if ((strchr(rev, ':') ? asprintf(&word, "%s", rev) : asprintf(&word, "%s^{%s}", rev, type)) < 0)
		return vv_fail_nomem(&ctx->err);
	ret = VV_GIT_LINE(&ctx->repo, oid, &why, "rev-parse", "--verify", "-q", "--end-of-options", word);
	free(word);
	if (ret == VV_ENOTFOUND)
		return vv_fail(&ctx->err, VV_ENOTFOUND, "'%s' names no %s here", rev, type);
	if (ret)
		ctx->err = why;
	return ret;
}

int vv_rev_commit(struct vv_ctx *ctx, const char *rev, char **oid)
{
	return resolve(ctx, rev, "commit", oid);
}

int vv_rev_tree(struct vv_ctx *ctx, const char *rev, char **oid)
{
	return resolve(ctx, rev, "tree", oid);
}

int vv_rev_short(struct vv_ctx *ctx, int *len)
{
	char *hash = NULL;
	struct vv_err ignore = VV_ERR_INIT;

	*len = 7;
	if (!VV_GIT_LINE(&ctx->repo, &hash, &ignore, "rev-parse", "--verify", "-q", "--short", "HEAD") && strlen(hash) > 7)
		*len = (int)strlen(hash);
	free(hash);
	return ignore.code == VV_ENOMEM ? vv_fail_nomem(&ctx->err) : 0;
}
