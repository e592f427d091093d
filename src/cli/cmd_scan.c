#define _GNU_SOURCE
/* What loading a model would do besides loading it: for people before they load, and for CI before a merge. */
#include "cli/cli.h"

#include "cli/bytes.h"
#include "cli/gitlines.h"
#include "git/dirstate.h"
#include "format/scan.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct scanning {
	struct vv_ctx *ctx;
	struct vv_opt_list allow; /* patterns of globals */
	json_t *files;            /* --json, --sarif */
	bool all;                 /* of folders every file, whatever git has */
	size_t n, by_severity[3]; /* files, by their worst finding */
};

static bool is_allowed(const struct scanning *s, const struct vv_finding *f)
{
	const char *name = strrchr(f->detail, ' ');

	for (size_t i = 0; i < s->allow.n && !strcmp(f->code, "pickle-global") && vv_severity_of(f) != VV_DANGEROUS; i++)
		if (!fnmatch(s->allow.v[i], name ? name + 1 : f->detail, 0))
			return true;
	return false;
}

static const char *verdict_name(enum vv_severity worst)
{
	return worst == VV_NOTE ? "safe" : vv_severity_name(worst);
}

static void print_verdict(struct scanning *s, const char *name, const struct vv_scan *r, enum vv_severity worst)
{
	static const enum vv_color colors[] = {VV_GREEN, VV_YELLOW, VV_RED};
	struct vv_ctx *ctx = s->ctx;
	char *safe = vv_safe(name);

	if (!ctx->quiet || worst != VV_NOTE)
		printf("%s: %s%s%s (%s)\n", safe, vv_color(ctx, colors[worst]), verdict_name(worst), vv_color(ctx, VV_PLAIN), r->format);
	for (size_t i = 0; i < r->n; i++) {
		const struct vv_finding *f = &r->findings[i];
		enum vv_severity severity = vv_severity_of(f);
		char *detail = vv_safe(f->detail);
		if (!is_allowed(s, f) && (!ctx->quiet || severity != VV_NOTE))
			printf("  %-10s  offset %" PRIu64 ": %s: %s\n", vv_severity_name(severity), f->off, f->code, detail);
		free(detail);
	}
	free(safe);
}

static json_t *findings_json(const struct scanning *s, const struct vv_scan *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->n; i++)
		if (!is_allowed(s, &r->findings[i]))
			json_array_append_new(list, json_pack("{s:s,s:s,s:I,s:o}", "code", r->findings[i].code, "severity",
				vv_severity_name(vv_severity_of(&r->findings[i])), "offset", (json_int_t)r->findings[i].off,
				"detail", vv_json_name(r->findings[i].detail)));
	return list;
}

static int scan_bytes(struct scanning *s, const struct vv_source *src, const char *shown)
{
	struct vv_ctx *ctx = s->ctx;
	enum vv_severity worst = VV_NOTE;
	struct vv_scan r;
	int ret = vv_scan(&r, src, ctx->progress, &ctx->err);

	vv_progress_end();
	if (ret)
		return ret;
	for (size_t i = 0; i < r.n; i++) {
		enum vv_severity severity = vv_severity_of(&r.findings[i]);
		if (severity > worst && !is_allowed(s, &r.findings[i]))
			worst = severity;
	}
	s->n++;
	s->by_severity[worst]++;
	if (s->files)
		json_array_append_new(s->files, json_pack("{s:o,s:s,s:s,s:o}", "path", vv_json_name(shown), "format", r.format,
			"verdict", verdict_name(worst), "findings", findings_json(s, &r)));
	else
		print_verdict(s, shown, &r, worst);
	vv_scan_release(&r);
	return 0;
}

/* One file, or each of a directory's, which is shown below its name. */
static int scan_named(struct scanning *s, const struct vv_named *named, const char *shown)
{
	struct vv_ctx *ctx = s->ctx;
	const struct vv_manifest *m = named->manifest;
	bool dir = vv_manifest_is_dir(m);
	struct vv_bytes bytes;
	int ret = dir ? 0 : vv_bytes_open(ctx, named, &bytes);

	if (!dir)
		return ret ? ret : scan_bytes(s, bytes.version.bytes, shown);
	for (size_t i = 0; i < m->n_files && !ret; i++) {
		struct vv_manifest file = {0};
		struct vv_named one = {.manifest = &file, .path = named->path};
		char *name = vv_join(shown, m->files[i].path);

		ret = name ? vv_dir_file(m, i, &file, &ctx->err) : vv_fail_nomem(&ctx->err);
		if (!ret)
			ret = vv_bytes_open(ctx, &one, &bytes);
		if (!ret)
			ret = scan_bytes(s, bytes.version.bytes, name);
		if (ret && name && !strstr(ctx->err.msg, name))
			vv_err_in(&ctx->err, "%s", m->files[i].path);
		vv_manifest_release(&file);
		free(name);
	}
	return ret;
}

static int scan_one(struct scanning *s, const char *name, const char *shown)
{
	struct vv_ctx *ctx = s->ctx;
	struct vv_named named = {0};
	int ret = vv_named_open(ctx, name, &named);

	if (ret)
		return ret;
	ret = scan_named(s, &named, shown);
	if (ret)
		ret = vv_err_in(&ctx->err, "%s", shown);
	vv_named_release(&named);
	return ret;
}

/* As scan_one, but a directory's manifest, "<directory>/.varve", is shown as that. */
static int scan_kept(struct scanning *s, const char *name, const char *path)
{
	char *dir = vv_is_dir_path(path) ? vv_dir_of_path(path) : NULL;
	int ret = scan_one(s, name, dir ? dir : path);

	free(dir);
	return ret;
}

/* All models that git has in these folders (NULL: in all). */
static int scan_tracked(struct scanning *s, const char *folder)
{
	struct vv_ctx *ctx = s->ctx;
	const char *paths[] = {folder, NULL};
	struct vv_entries all = {0};
	char *name = NULL;
	int ret = vv_tracked(&ctx->repo, folder ? paths : NULL, &all, &ctx->err);

	for (size_t i = 0; i < all.n && !ret; i++) {
		if (i && !strcmp(all.v[i].path, all.v[i - 1].path))
			continue;
		/* From the top, whatever folder this is. */
		ret = asprintf(&name, ":%s", all.v[i].path) < 0 ? vv_fail_nomem(&ctx->err) : scan_kept(s, name, all.v[i].path);
		free(name);
		name = NULL;
	}
	vv_entries_release(&all);
	return ret;
}

/* Is it a manifest, and not a text about one? What cannot be read is not passed over. */
static bool is_manifest(struct vv_blobs *blobs, const char *name)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err why = VV_ERR_INIT;
	bool yes = vv_blobs_get(blobs, name, &text, &why) || vv_manifest_detect(vv_buf_view(&text)) != VV_TEXT_OTHER;

	vv_buf_release(&text);
	return yes;
}

/* One of those, "<oid of the tree>:<path>". It is shown below the word that the user gave. */
static int scan_found(struct scanning *s, const char *tree, const char *name)
{
	size_t n = strlen(tree);
	const char *colon = strchr(name, ':'), *joint = !strchr(tree, ':') ? ":" : tree[n - 1] == ':' || tree[n - 1] == '/' ? "" : "/";
	char *shown = NULL;
	int ret;

	if (!colon)
		return vv_fail(&s->ctx->err, VV_EGIT, "git grep said something else than names");
	if (asprintf(&shown, "%s%s%s", tree, joint, colon + 1) < 0)
		return vv_fail_nomem(&s->ctx->err);
	ret = scan_kept(s, name, shown);
	free(shown);
	return ret;
}

/* All models of a version, or of a folder in one: "REV", "REV:folder". git finds the texts that stand for them. */
static int scan_tree(struct scanning *s, const char *tree, const char *oid)
{
	struct vv_ctx *ctx = s->ctx;
	static const char *const first[] = {"grep", "-l", "-z", "-a", "-G", "--no-recurse-submodules", "--full-name",
		"--no-color", "-e", "^varve [0-9]* - this text stands", NULL};
	struct vv_lines lines = VV_LINES_INIT;
	struct vv_args args = {0};
	struct vv_blobs blobs = VV_BLOBS_INIT;
	struct vv_buf names = VV_BUF_INIT(VV_MAX_MANIFEST);
	const char *rec;
	int ret;

	vv_args_all(&args, first);
	vv_args_add(&args, oid);
	vv_args_add(&args, "--");
	vv_args_add(&args, ":/");
	ret = vv_lines_open(&lines, &args, &ctx->err);
	while (!ret && !(ret = vv_lines_next(&lines, 0, &rec, &ctx->err)))
		vv_buf_add(&names, rec, strlen(rec) + 1);
	/* It fails when it finds nothing. */
	vv_lines_release(&lines);
	vv_args_release(&args);
	ret = ret < 0 ? ret : vv_buf_check(&names, &ctx->err);
	if (!ret)
		ret = vv_blobs_open(&blobs, &ctx->repo, &ctx->err);
	for (const char *p = (const char *)names.ptr, *end = p + names.len; !ret && p < end; p += strlen(p) + 1)
		if (is_manifest(&blobs, p))
			ret = scan_found(s, tree, p);
	vv_blobs_close(&blobs);
	vv_buf_release(&names);
	return ret;
}

/* "REV:./path" means from here, and git is asked at the top. */
static char *from_top(struct vv_ctx *ctx, const char *word)
{
	const char *colon = strchr(word, ':');
	char *path = NULL, *out = NULL;

	if (!colon || (strncmp(colon + 1, "./", 2) && strncmp(colon + 1, "../", 3)))
		return strdup(word);
	if (!vv_top_path(ctx, colon + 1, &path) &&
		asprintf(&out, "%.*s%s", (int)(colon + 1 - word), word, strcmp(path, ".") ? path : "") < 0)
		out = NULL;
	free(path);
	return out;
}

/* The tree that git knows by the word, owned by the caller; NULL: none, or something stands there under that name. */
static char *tree_of(struct vv_ctx *ctx, const char *word)
{
	struct vv_err ignore = VV_ERR_INIT;
	char *type = NULL, *oid = NULL, *name = NULL;

	if (access(word, F_OK) && (ctx->repo.git_dir || !vv_repo_open(&ctx->repo, &ignore)) && (name = from_top(ctx, word)) &&
		!vv_rev_tree(ctx, name, &oid) &&
		(VV_GIT_LINE(&ctx->repo, &type, &ignore, "cat-file", "-t", oid) || strcmp(type, "tree"))) {
		free(oid);
		oid = NULL;
	}
	vv_err_clear(&ctx->err);
	free(name);
	free(type);
	return oid;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Is it the manifest of a directory, whose files are there? */
static bool is_dir_text(const FTSENT *e)
{
	struct vv_err ignore = VV_ERR_INIT;
	uint8_t head[64] = {0};
	struct vv_file f;
	bool yes = false;

	if (!strcmp(e->fts_name, VV_DIR_MANIFEST) && !vv_file_open(&f, e->fts_path, &ignore)) {
		size_t n = f.base.size < sizeof(head) ? (size_t)f.base.size : sizeof(head);
		yes = !vv_source_read(&f.base, 0, head, n, &ignore) && vv_manifest_detect(vv_span(head, n)) == VV_TEXT_MANIFEST;
		vv_file_close(&f);
	}
	return yes;
}

/* Every file below the folder, in order. Links are not followed, and git's own folders left out. */
static int scan_folder(struct scanning *s, char *folder)
{
	struct vv_ctx *ctx = s->ctx;
	char *roots[] = {folder, NULL};
	FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	FTSENT *e;
	int ret = walk ? 0 : vv_fail_sys(&ctx->err, errno, "%s", folder);

	while (!ret && (e = fts_read(walk))) {
		if (e->fts_info == FTS_D && !strcmp(e->fts_name, ".git"))
			fts_set(walk, e, FTS_SKIP);
		else if (e->fts_info == FTS_F && !is_dir_text(e))
			ret = scan_one(s, e->fts_path, e->fts_path);
		else if (e->fts_info == FTS_DNR || e->fts_info == FTS_ERR || e->fts_info == FTS_NS)
			ret = vv_fail_sys(&ctx->err, e->fts_errno, "%s", e->fts_path);
	}
	if (walk)
		fts_close(walk);
	return ret;
}

/* SARIF 2.1.0, as far as a forge needs it to show findings beside the files. */
static json_t *sarif(json_t *files)
{
	json_t *results = json_array(), *file, *f;
	size_t i, k;

	json_array_foreach(files, i, file)
		json_array_foreach(json_object_get(file, "findings"), k, f) {
			const char *severity = json_string_value(json_object_get(f, "severity"));
			json_array_append_new(results, json_pack("{s:O,s:s,s:{s:O},s:[{s:{s:{s:O},s:{s:O}}}]}", "ruleId",
				json_object_get(f, "code"), "level", *severity == 'd' ? "error" : *severity == 's' ? "warning" : "note",
				"message", "text", json_object_get(f, "detail"), "locations", "physicalLocation", "artifactLocation",
				"uri", json_object_get(file, "path"), "region", "byteOffset", json_object_get(f, "offset")));
		}
	return json_pack("{s:s,s:[{s:{s:{s:s,s:s}},s:o}]}", "version", "2.1.0", "runs", "tool", "driver", "name", "varve",
		"version", VV_VERSION, "results", results);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

static int scan_words(struct scanning *s, char *const *words)
{
	struct vv_ctx *ctx = s->ctx;
	int ret = *words ? 0 : vv_repo_open(&ctx->repo, &ctx->err);

	if (!*words && !ret)
		ret = scan_tracked(s, NULL);
	for (; *words && !ret; words++) {
		char *top = NULL, *tree = tree_of(ctx, *words);
		if (tree) {
			ret = scan_tree(s, *words, tree);
			free(tree);
			continue;
		}
		if (!is_folder(*words)) {
			ret = scan_one(s, *words, *words);
			continue;
		}
		/* Outside of a repository a folder is all that is in it. */
		if (s->all || (!ctx->repo.git_dir && vv_repo_open(&ctx->repo, &ctx->err))) {
			vv_err_clear(&ctx->err);
			ret = scan_folder(s, *words);
			continue;
		}
		ret = vv_top_path(ctx, *words, &top);
		if (!ret)
			ret = scan_tracked(s, strcmp(top, ".") ? top : NULL);
		free(top);
	}
	return ret;
}

int cmd_scan(struct vv_ctx *ctx, int argc, char **argv)
{
	bool strict = false, as_sarif = false;
	struct scanning s = {.ctx = ctx};
	const struct vv_opt opts[] = {
		{'s', "strict", VV_OPT_FLAG, &strict, NULL, "what is suspicious fails, too"},
		{'a', "allow", VV_OPT_LIST, &s.allow, "GLOB", "globals of pickles that are known here, as 'sklearn.*'"},
		{0, "all", VV_OPT_FLAG, &s.all, NULL, "every file of a folder, not only models that git has"},
		{0, "sarif", VV_OPT_FLAG, &as_sarif, NULL, "SARIF 2.1.0, for a forge's code scanning"},
		{0},
	};
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (ret)
		goto out;
	s.files = ctx->json || as_sarif ? json_array() : NULL;
	ret = scan_words(&s, argv + 1);
	if (ret)
		goto out;
	if (as_sarif)
		vv_print_json(sarif(s.files));
	else if (ctx->json)
		vv_print_json(json_incref(s.files));
	else if (s.n > 1 && !ctx->quiet)
		printf("%zu files: %zu safe, %zu suspicious, %zu dangerous\n", s.n, s.by_severity[VV_NOTE],
			s.by_severity[VV_SUSPICIOUS], s.by_severity[VV_DANGEROUS]);
	ret = s.by_severity[VV_DANGEROUS] || (strict && s.by_severity[VV_SUSPICIOUS]) ? VV_EXIT_NO : VV_EXIT_OK;
out:
	json_decref(s.files);
	free(s.allow.v);
	return ret;
}
