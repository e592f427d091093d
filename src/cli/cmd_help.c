#include "cli/cli.h"

#include "model/manifest.h"

#include <unistd.h>

/* The manual where there is one and somebody to read it, else the options. */
static int help_for(struct vv_ctx *ctx, const char *name)
{
	const struct vv_cmd *c = vv_cmds;
	char *argv[] = {(char *)(uintptr_t)name, NULL};
	char page[64];

	while (c->name && strcmp(c->name, name))
		c++;
	if (!c->name)
		return vv_fail(&ctx->err, VV_EUSAGE, "'%s' is not a varve command", name);
	snprintf(page, sizeof(page), "varve-%s", c->name);
	if (isatty(STDOUT_FILENO) && !(c->flags & VV_CMD_HIDDEN)) {
		const char *const where[] = {"man", "-w", page, NULL};
		struct vv_err ignore = VV_ERR_INIT;
		struct vv_buf path = VV_BUF_INIT(VV_MAX_TEXT);
		int status = 1;
		if (!vv_child_run(where, NULL, VV_CHILD_NOERR, vv_span(NULL, 0), &path, &status, &ignore) && !status)
			execlp("man", "man", page, (char *)NULL);
		vv_buf_release(&path);
	}
	ctx->cmd = c;
	if (c->flags & VV_CMD_HIDDEN) {
		vv_opt_help(stdout, c, NULL);
		return VV_EXIT_OK;
	}
	ctx->help = true;
	return c->fn(ctx, 1, argv);
}

int cmd_help(struct vv_ctx *ctx, int argc, char **argv)
{
	static const struct {
		const char *group, *title;
	} groups[] = {{"start", "start"}, {"work", "work"}, {"look", "look at versions"}, {"store", "care for the store"},
		{"help", "help"}};

	int ret = vv_opt_parse(ctx, NULL, &argc, argv, NULL);

	if (ret)
		return ret;
	if (argc > 1)
		return help_for(ctx, argv[1]);
	puts("varve keeps every version of a neural network in git, small and exact.\n\n"
	     "usage: varve [-C DIR] COMMAND [ARG...]   (or: git varve COMMAND)");
	for (size_t g = 0; g < VV_COUNT(groups); g++) {
		printf("\n%s\n", groups[g].title);
		for (const struct vv_cmd *c = vv_cmds; c->name; c++)
			if (c->group && !strcmp(c->group, groups[g].group))
				printf("  %-10s %s\n", c->name, c->summary);
	}
	puts("\n'varve COMMAND --help' shows the options, 'varve help COMMAND' the manual.");
	return VV_EXIT_OK;
}

int cmd_version(struct vv_ctx *ctx, int argc, char **argv)
{
	int ret = vv_opt_parse(ctx, NULL, &argc, argv, NULL);

	if (ret)
		return ret;
	if (ctx->json)
		vv_print_json(json_pack("{s:s,s:i,s:i}", "version", VV_VERSION, "manifest", VV_MANIFEST_VERSION, "store", 1));
	else
		printf("varve %s (manifest format %d, store format 1)\n", VV_VERSION, VV_MANIFEST_VERSION);
	return VV_EXIT_OK;
}
