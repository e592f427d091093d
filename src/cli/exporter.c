#define _GNU_SOURCE
#include "cli/exporter.h"

#include "cli/bytes.h"
#include "cli/lineage.h"
#include "model/assembly.h"
#include "os/job.h"
#include "os/tempdir.h"

#include <stdlib.h>
#include <unistd.h>

enum { MAX_BESIDE = 4096 };

struct run {
	struct vv_ctx *ctx;
	const struct vv_exporter *e;
	char *temp, *made;         /* the folder of all that is ours; that of what the command makes */
	const char *base;          /* of the file */
	const char **argv;         /* sh -c COMMAND sh INPUT... */
	struct vv_file *files;     /* inputs that are read where they are; fd -1: a copy */
	json_t *inputs, *beside, *output;
	struct vv_buf names;       /* of what was made beside the file, each with its NUL */
	size_t n_beside;
};

/* --- inputs --- */

static int stop(struct run *r)
{
	return vv_job_caught() ? vv_fail(&r->ctx->err, VV_EIO, "stopped by a signal") : 0;
}

/* Copies end at a signal. */
struct copy {
	struct vv_sink base;
	struct vv_fd_sink to;
	struct run *run;
};

static int write_some(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct copy *c = (struct copy *)self;
	int ret = stop(c->run);

	return ret ? ret : c->to.base.write(&c->to.base, data, err);
}

static int copy_out(struct run *r, const struct vv_named *n, size_t i, char **path)
{
	struct vv_ctx *ctx = r->ctx;
	const char *slash = strrchr(n->path, '/');
	struct copy c = {.base = {write_some}, .run = r};
	struct vv_temp t = VV_TEMP_INIT;
	struct vv_bytes bytes;
	char *dir = NULL;
	int ret = vv_bytes_open(ctx, n, &bytes);

	if (ret)
		return ret;
	if (asprintf(&dir, "%s/in/%zu", r->temp, i) < 0)
		return vv_fail_nomem(&ctx->err);
	*path = vv_join(dir, slash ? slash + 1 : n->path);
	ret = *path ? vv_mkdirs(dir, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_temp_open(&t, dir, &ctx->err);
	if (!ret) {
		vv_fd_sink_init(&c.to, t.fd, *path, n->manifest->size, ctx->progress);
		ret = vv_source_copy(bytes.version.bytes, 0, n->manifest->size, &c.base, &ctx->err);
	}
	if (!ret)
		ret = vv_temp_publish(&t, *path, false, &ctx->err);
	vv_progress_end();
	vv_temp_release(&t);
	free(dir);
	return ret;
}

/* Does the model itself lie there, not its manifest? Then it is read in its place, open as `f`. */
static int find_in_place(struct run *r, const struct vv_named *n, struct vv_file *f, char **path)
{
	struct vv_ctx *ctx = r->ctx;
	struct vv_err ignore = VV_ERR_INIT;
	char *full = NULL;
	uint8_t head[64];
	int ret = 0;

	if (n->rev)
		return 0;
	full = n->outside ? strdup(n->path) : vv_join(ctx->repo.top, n->path);
	if (!full)
		return vv_fail_nomem(&ctx->err);
	if (!vv_file_open(f, full, &ignore)) {
		size_t len = f->base.size < sizeof(head) ? (size_t)f->base.size : sizeof(head);
		if (f->base.size == n->manifest->size && !vv_source_read(&f->base, 0, head, len, &ignore) &&
			vv_manifest_detect(vv_span(head, len)) == VV_TEXT_OTHER) {
			*path = realpath(full, NULL);
			ret = *path ? 0 : vv_fail_nomem(&ctx->err);
		} else {
			vv_file_close(f);
			f->fd = -1;
		}
	}
	free(full);
	return ret;
}

static int open_input(struct run *r, size_t i)
{
	struct vv_ctx *ctx = r->ctx;
	char hex[VV_ID_HEX + 1], root[VV_ID_HEX + 1], *path = NULL;
	struct vv_named n = {0};
	int ret = vv_named_open(ctx, r->e->inputs[i], &n);

	if (!ret)
		ret = find_in_place(r, &n, &r->files[i], &path);
	if (!ret && !path)
		ret = copy_out(r, &n, i + 1, &path);
	if (!ret)
		json_array_append_new(r->inputs,
			json_pack("{s:o,s:s,s:I,s:s,s:s}", "name", vv_json_name(r->e->inputs[i]), "format", n.manifest->format, "size",
				(json_int_t)n.manifest->size, "sha256", vv_id_hex(&n.manifest->sha256, hex), "root",
				vv_id_hex(&n.manifest->root, root)));
	r->argv[4 + i] = path;
	vv_named_release(&n);
	return ret ? ret : stop(r);
}

static int check_inputs(struct run *r)
{
	int ret = 0;

	for (size_t i = 0; i < r->e->n_inputs && !ret; i++)
		if (r->files[i].fd >= 0)
			ret = vv_file_unchanged(&r->files[i], r->e->inputs[i], &r->ctx->err);
	return ret;
}

/* --- the command --- */

static int run_command(struct run *r, int *status)
{
	char *in = NULL, *out = NULL;
	int ret = 0;

	if (asprintf(&in, "VARVE_INPUT=%s", r->argv[4]) < 0)
		in = NULL;
	if (asprintf(&out, "VARVE_OUTPUT=%s/%s", r->made, r->base) < 0)
		out = NULL;
	const char *env[] = {in, out, NULL};
	ret = in && out ? vv_job_run(r->argv, env, 0, status, &r->ctx->err) : vv_fail_nomem(&r->ctx->err);
	free(in);
	free(out);
	return ret ? ret : stop(r);
}

/* --- what it made --- */

static int add_made(void *arg, const char *name, struct vv_err *err)
{
	struct run *r = arg;
	char *path = vv_join(r->made, name);
	bool main = !strcmp(name, r->base);
	json_t *is = NULL;
	struct stat st;
	int ret = 0;

	if (!path)
		return vv_fail_nomem(err);
	if (lstat(path, &st) || !S_ISREG(st.st_mode))
		ret = vv_fail(err, VV_ENOTSUP, "the command made '%s', which is no plain file", name);
	else if (!main && r->n_beside == MAX_BESIDE)
		ret = vv_fail(err, VV_ELIMIT, "the command made more than %d files", MAX_BESIDE);
	if (!ret)
		ret = vv_lineage_file(&is, path, name, err);
	if (!ret && main) {
		r->output = is;
	} else if (!ret) {
		json_array_append_new(r->beside, is);
		vv_buf_add(&r->names, name, strlen(name) + 1);
		r->n_beside++;
		ret = vv_buf_check(&r->names, err);
	}
	free(path);
	return ret ? ret : stop(r);
}

static int move(struct run *r, const char *from_dir, const char *name, const char *ending)
{
	const char *slash = strrchr(r->e->file, '/');
	char *from = NULL, *to = NULL;
	int dir = slash ? (int)(slash - r->e->file) + 1 : 0, ret;

	if (asprintf(&from, "%s/%s%s", from_dir, name, ending) < 0)
		from = NULL;
	if (asprintf(&to, "%.*s%s%s", dir, r->e->file, name, ending) < 0)
		to = NULL;
	ret = from && to ? vv_rename(from, to, &r->ctx->err) : vv_fail_nomem(&r->ctx->err);
	free(from);
	free(to);
	return ret;
}

/* The record is written first, aside: once the file is in its place little can go wrong. */
static int publish(struct run *r)
{
	const struct vv_exporter *e = r->e;
	json_t *record = vv_lineage_new(e->command, 0, e->env.v, e->env.n);
	char *path = NULL;
	int ret = 0;

	json_object_set(record, "inputs", r->inputs);
	json_object_set(record, "output", r->output);
	json_object_set(record, "beside", r->beside);
	if (asprintf(&path, "%s/%s" VV_LINEAGE_ENDING, r->temp, r->base) < 0)
		path = NULL;
	ret = path ? vv_lineage_write(record, path, &r->ctx->err) : vv_fail_nomem(&r->ctx->err);
	for (const char *name = (const char *)r->names.ptr; r->n_beside && !ret; name += strlen(name) + 1, r->n_beside--)
		ret = move(r, r->made, name, "");
	if (!ret)
		ret = move(r, r->made, r->base, "");
	if (!ret)
		ret = move(r, r->temp, r->base, VV_LINEAGE_ENDING);
	json_decref(record);
	free(path);
	return ret;
}

/* --- the whole --- */

static int prepare(struct run *r)
{
	const char *slash = strrchr(r->e->file, '/');
	struct vv_err *err = &r->ctx->err;
	struct stat st;
	char *dir;
	int ret;

	r->base = slash ? slash + 1 : r->e->file;
	if (!*r->base || !strcmp(r->base, "-") || !strcmp(r->base, ".") || !strcmp(r->base, "..") ||
		(!lstat(r->e->file, &st) && !S_ISREG(st.st_mode)))
		return vv_fail(err, VV_EUSAGE, "--with makes a plain file: -o '%s' is none", r->e->file);
	r->files = calloc(r->e->n_inputs, sizeof(*r->files));
	r->argv = calloc(r->e->n_inputs + 5, sizeof(*r->argv));
	r->inputs = json_array();
	r->beside = json_array();
	dir = slash ? strndup(r->e->file, (size_t)(slash - r->e->file) + 1) : strdup(".");
	if (!dir || !r->files || !r->argv || !r->inputs || !r->beside) {
		free(dir);
		return vv_fail_nomem(err);
	}
	for (size_t i = 0; i < r->e->n_inputs; i++)
		r->files[i].fd = -1;
	memcpy(r->argv, (const char *[]){"sh", "-c", r->e->command, "sh"}, 4 * sizeof(*r->argv));
	ret = vv_tempdir_make(&r->temp, dir, err);
	free(dir);
	if (ret)
		return ret;
	r->made = vv_join(r->temp, "out");
	return r->made ? vv_mkdirs(r->made, err) : vv_fail_nomem(err);
}

static void release(struct run *r)
{
	vv_tempdir_remove(r->temp);
	for (size_t i = 0; r->files && i < r->e->n_inputs; i++)
		if (r->files[i].fd >= 0)
			vv_file_close(&r->files[i]);
	for (size_t i = 0; r->argv && i < r->e->n_inputs; i++)
		free((char *)(uintptr_t)r->argv[4 + i]);
	json_decref(r->inputs);
	json_decref(r->beside);
	json_decref(r->output);
	vv_buf_release(&r->names);
	free(r->files);
	free(r->argv);
	free(r->made);
	free(r->temp);
}

int vv_exporter_run(struct vv_ctx *ctx, const struct vv_exporter *e, int *status, json_t **output)
{
	struct run r = {.ctx = ctx, .e = e, .names = VV_BUF_INIT(VV_MAX_TEXT)};
	int ret;

	*status = 0;
	vv_job_begin();
	ret = prepare(&r);
	for (size_t i = 0; i < e->n_inputs && !ret; i++)
		ret = open_input(&r, i);
	if (!ret)
		ret = run_command(&r, status);
	if (!ret && !*status) {
		ret = check_inputs(&r);
		if (!ret)
			ret = vv_each_name(r.made, add_made, &r, &ctx->err);
		if (!ret && !r.output)
			ret = vv_fail(&ctx->err, VV_ENOTFOUND, "the command ended well, but made no file $VARVE_OUTPUT");
		if (!ret)
			ret = publish(&r);
	}
	if (!ret && !*status)
		*output = json_incref(r.output);
	release(&r);
	vv_job_end();
	return ret;
}
