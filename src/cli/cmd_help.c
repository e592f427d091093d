#include "cli/cli.h"

#include "model/manifest.h"

#include <unistd.h>

int cmd_help(struct vv_ctx *ctx, int argc, char **argv)
{
	static const struct {
		const char *group, *title;
	} groups[] = {{"start", "start"}, {"work", "work"}, {"look", "look at versions"}, {"store", "care for the store"},
		{"help", "help"}};

	if (argc > 1) {
		char page[64];
		for (const struct vv_cmd *c = vv_cmds; c->name; c++) {
			if (strcmp(c->name, argv[1]))
				continue;
			snprintf(page, sizeof(page), "varve-%s", c->name);
			if (isatty(STDOUT_FILENO))
				execlp("man", "man", page, (char *)NULL);
			vv_opt_help(stdout, c, NULL); /* no man here */
			return VV_EXIT_OK;
		}
		return vv_fail(&ctx->err, VV_EUSAGE, "'%s' is not a varve command", argv[1]);
	}
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

int cmd_version(struct vv_ctx *ctx, int argc VV_UNUSED, char **argv VV_UNUSED)
{
	if (ctx->json)
		vv_print_json(json_pack("{s:s,s:i,s:i}", "version", VV_VERSION, "manifest", VV_MANIFEST_VERSION, "store", 1));
	else
		printf("varve %s (manifest format %d, store format 1)\n", VV_VERSION, VV_MANIFEST_VERSION);
	return VV_EXIT_OK;
}
