/* Clears away what no version needs. */
#include "cli/cli.h"

#include "cli/bisecttree.h"
#include "cli/keptfile.h"
#include "git/roots.h"
#include "git/sent.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GRACE_S = 14 * 86400 };

/* "now", "never", "3d", "2.weeks", "36 hours ago": as git writes ages. */
static int parse_age(struct vv_ctx *ctx, const char *text, uint64_t *seconds)
{
	static const struct {
		const char *name;
		uint64_t s;
	} units[] = {{"s", 1}, {"sec", 1}, {"second", 1}, {"min", 60}, {"minute", 60}, {"h", 3600}, {"hour", 3600},
		{"d", 86400}, {"day", 86400}, {"w", 604800}, {"week", 604800}, {"month", 2592000}, {"y", 31536000},
		{"year", 31536000}};
	char *end;
	uint64_t n;
	size_t len;

	if (!strcmp(text, "now") || !strcmp(text, "never")) {
		*seconds = text[2] == 'w' ? 0 : UINT64_MAX;
		return 0;
	}
	n = strtoull(text, &end, 10);
	while (end != text && (*end == '.' || *end == ' '))
		end++;
	len = strspn(end, "abcdefghijklmnopqrstuvwxyz");
	if (end == text || text[0] == '-' || (end[len] && strcmp(end + len, ".ago") && strcmp(end + len, " ago")))
		len = 0;
	for (size_t i = 0; i < VV_COUNT(units) && len; i++) {
		size_t name = strlen(units[i].name);
		bool plural = len == name + 1 && end[name] == 's' && name > 1;
		if ((len == name || plural) && !memcmp(end, units[i].name, name) && n <= UINT64_MAX / units[i].s) {
			*seconds = n * units[i].s;
			return 0;
		}
	}
	return vv_fail(&ctx->err, VV_EUSAGE, "--grace: '%s' is no age; say now, 3d, 2.weeks or never", text);
}

static bool is_live(void *arg, const struct vv_id *id)
{
	return vv_ids_has(arg, id);
}

static void print_text(const struct vv_ctx *ctx, const struct vv_gc_stats *s, bool dry)
{
	char size[32];

	if (ctx->quiet)
		return;
	if (s->packs_revived)
		printf("%zu packs taken back from the trash\n", s->packs_revived);
	if (s->packs_rewritten)
		printf("%zu packs %s, mostly dead or small\n", s->packs_rewritten, dry ? "would be rewritten" : "rewritten");
	if (s->packs_trashed)
		printf("%zu packs %s to the trash, %s\n", s->packs_trashed, dry ? "would go" : "went", vv_human(s->trashed, size));
	if (s->packs_deleted)
		printf("%zu packs %s from the trash, %s\n", s->packs_deleted, dry ? "would be deleted" : "deleted",
			vv_human(s->freed, size));
	if (!s->packs_rewritten && !s->packs_trashed && !s->packs_deleted)
		printf("nothing to clear away: %zu packs are needed, or too young\n", s->packs_kept);
}

int cmd_gc(struct vv_ctx *ctx, int argc, char **argv)
{
	struct vv_gc_options opt = {.grace_s = GRACE_S};
	const char *age = NULL;
	const struct vv_opt opts[] = {
		{'n', "dry-run", VV_OPT_FLAG, &opt.dry_run, NULL, "only say what would be done"},
		{0, "grace", VV_OPT_TEXT, &age, "AGE", "keep what is younger: 3d, 2.weeks (the default), now"},
		{0},
	};
	struct vv_roots_report report = {.complete = true};
	struct vv_gc_stats stats = {0};
	struct vv_ids live = {0};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc > 1)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "gc takes no path");
	if (!ret && age)
		ret = parse_age(ctx, age, &opt.grace_s);
	if (!ret)
		ret = vv_roots_all(&ctx->repo, &live, &report, &ctx->err);
	if (ret)
		goto out;
	if (!opt.dry_run)
		vv_bisecttree_sweep(ctx);
	if (!report.complete) {
		/* A version whose manifest is not here may need anything. */
		if (ctx->json)
			vv_print_json(json_pack("{s:b,s:I}", "complete", 0, "manifests", (json_int_t)report.manifests));
		else
			fprintf(stderr, "varve: nothing is removed: what is dead cannot be known, since this clone is shallow or "
					"partial, has manifests of a newer varve, or has objects that git cannot read\n");
		ret = VV_EXIT_NO;
		goto out;
	}
	vv_sent_clear(vv_store_dir(ctx->repo.store));
	ret = vv_store_gc(ctx->repo.store, is_live, &live, &opt, &stats, ctx->progress, &ctx->err);
	vv_progress_end();
	if (ret)
		goto out;
	if (!opt.dry_run)
		vv_keptfile_clear(&ctx->repo, &live);
	if (ctx->json)
		vv_print_json(json_pack("{s:b,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "complete", 1, "dry_run", opt.dry_run,
			"manifests", (json_int_t)report.manifests, "live_objects", (json_int_t)live.n, "packs_kept",
			(json_int_t)stats.packs_kept, "packs_rewritten", (json_int_t)stats.packs_rewritten, "packs_trashed",
			(json_int_t)stats.packs_trashed, "packs_deleted", (json_int_t)stats.packs_deleted, "packs_revived",
			(json_int_t)stats.packs_revived, "bytes_trashed", (json_int_t)stats.trashed, "bytes_freed",
			(json_int_t)stats.freed));
	else
		print_text(ctx, &stats, opt.dry_run);
	if (stats.packs_trashed)
		vv_hint(ctx, "the trash is emptied by a gc after the grace time; until then whatever needs it brings it back");
out:
	vv_ids_release(&live);
	return ret;
}
