/* What git bisect runs for each commit: puts models or tensors in place, then the user's command. */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "diff/kept.h"
#include "git/sync.h"
#include "hash/sha256.h"
#include "os/file.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

/* As git bisect run understands them. */
enum { SKIP = 125 };

struct step {
	struct vv_ctx *ctx;
	struct vv_opt_list files, tensors;
	bool changes_only;
	const char *dir; /* of the bisect */
};

static void say_left(void *arg VV_UNUSED, const char *path, const struct vv_err *why)
{
	vv_warn("%s stays a manifest: %s", path, why->msg);
}

/* The models, where this commit has them. Those that are as at the last commit are there already. */
static int put_models(struct step *s)
{
	struct vv_ctx *ctx = s->ctx;
	struct vv_sync_report report = {.left = say_left};
	int ret = vv_sync(&ctx->repo, s->files.v, vv_span(NULL, 0), &report, &ctx->err);

	return !ret && report.left_n ? vv_fail(&ctx->err, VV_ENOTFOUND, "a model is not whole here") : ret;
}

static bool wanted(const struct step *s, const char *name)
{
	for (size_t i = 0; i < s->tensors.n; i++)
		if (!fnmatch(s->tensors.v[i], name, 0))
			return true;
	return false;
}

/* Which tensors they are: a name for them together. False: there are none. */
static bool name_tensors(const struct step *s, const struct vv_manifest *m, struct vv_id *out)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	size_t n = 0;

	for (size_t i = 0; i < m->n_segs; i++)
		for (size_t k = 0; k < m->segs[i].seg.n_views; k++) {
			const struct vv_view *v = &m->segs[i].seg.views[k];

			if (!wanted(s, v->name))
				continue;
			n++;
			vv_buf_str(&text, v->name);
			vv_buf_char(&text, 0);
			vv_kept_side(&text, &m->segs[i], v);
		}
	vv_sha256(vv_buf_view(&text), out);
	n = text.failed ? 0 : n;
	vv_buf_release(&text);
	return n > 0;
}

/* The same tensors were judged before: how. -1: not yet. */
static int seen(const struct step *s, const char *hex)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char *path = vv_join(s->dir, "tested");
	const char *at = NULL;
	int status = -1;

	if (path && !vv_read_file(&text, path, &ignore) && text.len)
		at = strstr((const char *)text.ptr, hex);
	if (at)
		status = (int)strtoul(at + VV_ID_HEX, NULL, 10) & 0xff;
	vv_buf_release(&text);
	free(path);
	return status;
}

/* "<which> <status>", a line for each test. */
static int note(const struct step *s, const char *hex, int status)
{
	struct vv_err *err = &s->ctx->err;
	char *path = vv_join(s->dir, "tested"), line[VV_ID_HEX + 32];
	int n = snprintf(line, sizeof(line), "%s %d\n", hex, status), fd, ret;

	fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666) : -1;
	ret = fd >= 0 ? vv_write_fd(fd, vv_span(line, (size_t)n), path, err) : vv_fail(err, VV_EIO, "%s/tested: cannot be written", s->dir);
	if (fd >= 0)
		close(fd);
	free(path);
	return ret;
}

/* Only these tensors, as a file: *path, owned by the caller. */
static int put_tensors(struct step *s, char **path)
{
	struct vv_ctx *ctx = s->ctx;
	size_t n = 0;
	const char **argv = calloc(2 * s->tensors.n + 10, sizeof(*argv));
	char *from = NULL;
	int status = 0, ret;

	*path = vv_join(s->dir, "tensors.safetensors");
	if (!argv || !*path || asprintf(&from, "HEAD:%s", s->files.v[0]) < 0) {
		free(argv);
		return vv_fail_nomem(&ctx->err);
	}
	unlink(*path);
	argv[n++] = "varve";
	argv[n++] = "convert";
	argv[n++] = "-q";
	for (size_t i = 0; i < s->tensors.n; i++) {
		argv[n++] = "--tensor";
		argv[n++] = s->tensors.v[i];
	}
	argv[n++] = from;
	argv[n++] = "-o";
	argv[n++] = *path;
	ret = vv_child_run(argv, NULL, VV_CHILD_TALK, vv_span(NULL, 0), NULL, &status, &ctx->err);
	if (!ret && status)
		ret = vv_fail(&ctx->err, VV_EIO, "%s: the tensors could not be read", s->files.v[0]);
	free(argv);
	free(from);
	return ret;
}

static int run(struct step *s, int argc, char **argv, char *last, int *status)
{
	const char **words = calloc((size_t)argc + 2, sizeof(*words));
	int ret;

	if (!words)
		return vv_fail_nomem(&s->ctx->err);
	for (int i = 0; i < argc; i++)
		words[i] = argv[i];
	words[argc] = last;
	ret = vv_child_run(words, NULL, VV_CHILD_INHERIT, vv_span(NULL, 0), NULL, status, &s->ctx->err);
	free(words);
	return ret;
}

/* With --tensor: what is tested, and whether that was done before (*status). 1: nothing is. */
static int find_tensors(struct step *s, char *hex, int *status)
{
	struct vv_named model = {0};
	struct vv_id id;
	int ret = vv_named_at(s->ctx, "HEAD", s->files.v[0], &model);

	if (ret == VV_ENOTFOUND || (!ret && !name_tensors(s, model.manifest, &id))) {
		vv_err_clear(&s->ctx->err);
		*status = SKIP;
		ret = 1;
	} else if (!ret) {
		vv_id_hex(&id, hex);
		*status = s->changes_only ? seen(s, hex) : -1;
		ret = *status >= 0;
	}
	vv_named_release(&model);
	return ret;
}

int cmd_bisect_step(struct vv_ctx *ctx, int argc, char **argv)
{
	struct step s = {.ctx = ctx, .dir = getenv("VARVE_BISECT_DIR")};
	const struct vv_opt opts[] = {
		{0, "file", VV_OPT_LIST, &s.files, "FILE", ""},
		{0, "tensor", VV_OPT_LIST, &s.tensors, "GLOB", ""},
		{0, "changes-only", VV_OPT_FLAG, &s.changes_only, NULL, ""},
		{0},
	};
	char hex[VV_ID_HEX + 1] = "-", *path = NULL;
	int status = 0, ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && (argc < 2 || !s.dir || !s.files.n))
		ret = vv_fail(&ctx->err, VV_EUSAGE, "bisect-step is run by git bisect");
	/* The command's own git is the user's. */
	unsetenv("VARVE_INSIDE");
	if (!ret && s.tensors.n)
		ret = find_tensors(&s, hex, &status);
	if (!ret)
		ret = s.tensors.n ? put_tensors(&s, &path) : put_models(&s);
	if (!ret)
		ret = run(&s, argc - 1, argv + 1, path, &status);
	if (!ret)
		ret = note(&s, hex, status);
	free(path);
	free(s.files.v);
	free(s.tensors.v);
	return ret < 0 ? ret : status;
}
