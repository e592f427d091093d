/* varve serve-store: the store of a repository, for a varve at the other end of a connection. */
#include "cli/cli.h"

#include "git/far.h"
#include "remote/remote.h"

#include <stdlib.h>
#include <unistd.h>

int cmd_serve_store(struct vv_ctx *ctx, int argc, char **argv)
{
	bool stdio = false, readonly = false;
	const struct vv_opt opts[] = {
		{0, "stdio", VV_OPT_FLAG, &stdio, NULL, "over standard input and output: for ssh"},
		{0, "read-only", VV_OPT_FLAG, &readonly, NULL, "take nothing"},
		{0},
	};
	char *dir = NULL;
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (ret)
		return ret;
	if (argc != 2 || !stdio)
		return vv_fail(&ctx->err, VV_EUSAGE, "serve-store takes --stdio and one repository or store");
	ret = vv_far_find(argv[1], &dir, &ctx->err);
	if (!ret)
		ret = vv_remote_serve(dir, STDIN_FILENO, STDOUT_FILENO, readonly, &ctx->err);
	free(dir);
	return ret;
}
