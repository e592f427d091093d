#include "cli/cli.h"

#include "cli/dirs.h"
#include "git/dirtrack.h"
#include "git/setup.h"

#include <stdlib.h>

/* One word: a directory, which is tracked as one, or a pattern. */
static int one_word(struct vv_ctx *ctx, const char *word, bool add, bool *changed, bool *is_dir)
{
	char *dir = NULL;
	int ret = vv_dir_word(ctx, word, &dir);

	*is_dir = dir != NULL;
	if (ret)
		return ret;
	if (dir && add) {
		ret = vv_dir_track(&ctx->repo, dir, changed, &ctx->err);
	} else if (dir) {
		ret = vv_dir_untrack(&ctx->repo, dir, &ctx->err);
		*changed = !ret;
	} else {
		ret = (add ? vv_track : vv_untrack)(&ctx->repo, word, changed, &ctx->err);
	}
	free(dir);
	return ret;
}

static int each_pattern(struct vv_ctx *ctx, int argc, char **argv, bool add)
{
	json_t *list;
	bool dirs = false;
	int ret = vv_opt_parse(ctx, NULL, &argc, argv, NULL);

	if (ret)
		return ret;
	if (argc < 2)
		return vv_fail(&ctx->err, VV_EUSAGE, "which files? Give patterns, as in .gitattributes");
	list = json_array();
	if (add) {
		char *have = NULL;
		ret = vv_setup_value(&ctx->repo, "filter.varve.clean", &have, &ctx->err);
		if (!ret && !have)
			ret = vv_setup_repo(&ctx->repo, &ctx->err);
		free(have);
	}
	for (int i = 1; i < argc && !ret; i++) {
		bool changed = false, is_dir = false;
		if (strpbrk(argv[i], "\n\r"))
			ret = vv_fail(&ctx->err, VV_EUSAGE, "a pattern is one line");
		else
			ret = one_word(ctx, argv[i], add, &changed, &is_dir);
		if (ret)
			break;
		dirs |= is_dir;
		json_array_append_new(list, json_pack("{s:o,s:b,s:b}", "pattern", vv_json_name(argv[i]), "changed", changed,
			"directory", is_dir));
		if (!ctx->json && !ctx->quiet) {
			char *safe = vv_safe(argv[i]);
			printf(changed ? "%s %s\n" : "%s %s already\n",
				add ? (changed ? "now keeping" : "keeping") : (changed ? "no longer keeping" : "not keeping"), safe);
			free(safe);
		}
	}
	if (!ret && ctx->json)
		vv_print_json(list);
	else
		json_decref(list);
	if (!ret && dirs)
		vv_hint(ctx, add ? "'varve add DIR' stores the files; commit .gitattributes too"
				 : "'git add DIR' gives git the files themselves");
	else if (!ret)
		vv_hint(ctx, add ? "commit .gitattributes too, so that your team keeps the same files"
				 : "'git add --renormalize .' turns models kept so far into plain files");
	return ret;
}

int cmd_track(struct vv_ctx *ctx, int argc, char **argv)
{
	return each_pattern(ctx, argc, argv, true);
}

int cmd_untrack(struct vv_ctx *ctx, int argc, char **argv)
{
	return each_pattern(ctx, argc, argv, false);
}

struct listing {
	json_t *patterns;
	bool text;
};

static int one_pattern(void *arg, const char *file, const char *pattern, struct vv_err *err VV_UNUSED)
{
	struct listing *l = arg;

	json_array_append_new(l->patterns, json_pack("{s:o,s:o}", "pattern", vv_json_name(pattern), "file", vv_json_name(file)));
	if (l->text) {
		char *p = vv_safe(pattern), *f = vv_safe(file);
		printf("%s (%s)\n", p, f);
		free(p);
		free(f);
	}
	return 0;
}

int cmd_list(struct vv_ctx *ctx, int argc, char **argv)
{
	struct listing l = {json_array(), !ctx->json};
	struct vv_entries all = {0};
	json_t *files = json_array();
	int ret = vv_opt_parse(ctx, NULL, &argc, argv, NULL);

	if (!ret && ctx->repo.top)
		ret = vv_track_each(&ctx->repo, one_pattern, &l, &ctx->err);
	if (!ret && ctx->repo.top)
		ret = vv_tracked(&ctx->repo, NULL, &all, &ctx->err);
	for (size_t i = 0; !ret && i < all.n; i++) {
		if (i && !strcmp(all.v[i].path, all.v[i - 1].path))
			continue; /* stages of a conflict */
		json_array_append_new(files, vv_json_name(all.v[i].path));
		if (!ctx->json) {
			char *name = vv_safe(all.v[i].path);
			printf("    %s\n", name);
			free(name);
		}
	}
	if (!ret && ctx->json)
		vv_print_json(json_pack("{s:O,s:O}", "patterns", l.patterns, "files", files));
	json_decref(l.patterns);
	json_decref(files);
	vv_entries_release(&all);
	return ret;
}
