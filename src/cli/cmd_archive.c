/*
 * git archive, with the models in it: git writes the archive (attributes, prefix, modes, links are its
 * own), and what is a manifest in it becomes the model, streamed from the store.
 */
#define _GNU_SOURCE
#include "cli/cli.h"

#include "base/check.h"
#include "cli/bytes.h"
#include "cli/gitlines.h"
#include "cli/outfile.h"
#include "cli/tar.h"
#include "git/dirstate.h"
#include "hash/sha256.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PIECE = 4 << 20,  /* decoded by one job */
	WINDOW = 8 * PIECE,
	PAX_MAX = 1 << 20,
	SMALLEST = 100,
};

struct archiver {
	struct vv_ctx *ctx;
	struct vv_lines from;
	struct vv_outfile out;
	struct vv_buf pending; /* a pax header's records, for the next file */
	struct vv_buf raw;     /* that header as it came */
	uint8_t *window;
	uint64_t written;
	size_t files, models;
	const char *prefix;
};

/* --- bytes in and out --- */

static int take(struct archiver *a, void *dst, size_t len)
{
	if (fread(dst, 1, len, a->from.from) != len)
		return vv_fail(&a->ctx->err, VV_EGIT, "git archive ended early");
	return 0;
}

static int put(struct archiver *a, struct vv_span data)
{
	a->written += data.len;
	return vv_write_fd(a->out.fd, data, a->out.name, &a->ctx->err);
}

static int put_zeros(struct archiver *a, size_t n)
{
	static const uint8_t zeros[VV_TAR_BLOCK];
	int ret = 0;

	for (; n && !ret; n -= n < sizeof(zeros) ? n : sizeof(zeros))
		ret = put(a, vv_span(zeros, n < sizeof(zeros) ? n : sizeof(zeros)));
	return ret;
}

/* Passes `len` bytes, padding included, as they are. */
static int pass(struct archiver *a, uint64_t len)
{
	int ret = 0;

	while (len && !ret) {
		size_t n = (size_t)vv_min64(len, PIECE);
		ret = take(a, a->window, n);
		if (!ret)
			ret = put(a, vv_span(a->window, n));
		len -= n;
	}
	return ret;
}

/* --- a model --- */

struct window {
	const struct vv_source *src;
	uint64_t off;
	size_t len;
	uint8_t *to;
};

static int read_piece(void *arg, size_t job, unsigned worker VV_UNUSED, struct vv_err *err)
{
	const struct window *w = arg;
	size_t at = job * PIECE;

	return vv_source_read(w->src, w->off + at, w->to + at, w->len - at < PIECE ? w->len - at : PIECE, err);
}

/* All of the model's bytes, decoded by all threads in a window of fixed size, and checked in the end. */
static int stream(struct archiver *a, const struct vv_version *v)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_sha256 sha;
	struct vv_id id;
	int ret = vv_sha256_init(&sha, &ctx->err);

	for (uint64_t off = 0; off < v->m->size && !ret; off += WINDOW) {
		struct window w = {v->bytes, off, (size_t)vv_min64(WINDOW, v->m->size - off), a->window};
		ret = vv_pool_run(ctx->repo.pool, (w.len + PIECE - 1) / PIECE, read_piece, &w, &ctx->err);
		if (!ret) {
			vv_sha256_update(&sha, vv_span(w.to, w.len));
			ret = put(a, vv_span(w.to, w.len));
		}
		vv_progress(ctx->progress, "archiving", off + w.len, v->m->size);
	}
	if (ret)
		goto out;
	vv_sha256_final(&sha, &id);
	if (!vv_id_eq(&id, &v->m->sha256))
		ret = vv_fail(&ctx->err, VV_ECORRUPT, "its parts are right but the file is not: the manifest lies");
out:
	vv_sha256_release(&sha);
	return ret;
}

static int see_kept(void *arg, const char *path VV_UNUSED, const char *format, struct vv_err *err VV_UNUSED)
{
	*(bool *)arg = format != NULL;
	return 0;
}

/* Does the worktree's .gitattributes say that varve keeps it? In a bare repository nobody says otherwise. */
static bool is_kept(struct archiver *a, const char *path)
{
	const struct vv_repo *r = &a->ctx->repo;
	struct vv_buf full = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	size_t skip = a->prefix && !strncmp(path, a->prefix, strlen(a->prefix)) ? strlen(a->prefix) : 0;
	bool kept = !r->top;

	/* git archives from the folder we stand in. */
	vv_buf_fmt(&full, "%s%s", r->prefix, path + skip);
	vv_buf_char(&full, 0);
	if (!kept && !full.failed && vv_kept_each(r, vv_buf_view(&full), see_kept, &kept, &ignore))
		kept = false;
	vv_buf_release(&full);
	return kept;
}

/* A file's headers, bytes and padding. `pax`: the extended ones that go before. */
static int put_file(
	struct archiver *a, const struct vv_tar_header *h, struct vv_span pax, const struct vv_version *file)
{
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	char hex[VV_ID_HEX + 1];
	int ret;

	vv_tar_emit(&head, h, pax, file->m->size, vv_id_hex(&file->m->sha256, hex));
	ret = vv_buf_check(&head, &a->ctx->err);
	if (!ret)
		ret = put(a, vv_buf_view(&head));
	if (!ret)
		ret = stream(a, file);
	if (!ret)
		ret = put_zeros(a, vv_tar_padding(file->m->size));
	vv_buf_release(&head);
	return ret;
}

/* One file of a directory, with headers like those of its manifest, which git gave. */
static int put_inner(struct archiver *a, const struct vv_tar_header *like, const struct vv_manifest *dir, size_t i, const char *path)
{
	struct vv_ctx *ctx = a->ctx;
	const struct vv_manifest_file *f = &dir->files[i];
	struct vv_tar_header h = *like;
	struct vv_manifest m = {0};
	struct vv_named named = {.manifest = &m};
	struct vv_buf pax = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_bytes bytes;
	char *full = NULL;
	int ret = asprintf(&full, "%.*s%s", (int)(strrchr(path, '/') + 1 - path), path, f->path) < 0
		? vv_fail_nomem(&ctx->err) : vv_dir_file(dir, i, &m, &ctx->err);

	if (!ret)
		ret = vv_bytes_open(ctx, &named, &bytes);
	if (!ret) {
		vv_tar_set(&h, full, f->mode, &pax);
		ret = put_file(a, &h, vv_buf_view(&pax), &bytes.version);
		a->files++;
	}
	free(full);
	vv_buf_release(&pax);
	vv_manifest_release(&m);
	return ret;
}

/* All files of a directory, where git has its manifest. */
static int put_dir(struct archiver *a, const struct vv_tar_header *h, const struct vv_manifest *m, const char *path)
{
	int ret = 0;

	for (size_t i = 0; i < m->n_files && !ret; i++)
		ret = put_inner(a, h, m, i, path);
	vv_progress_end();
	a->models++;
	return ret;
}

/* *done: the model was written. Otherwise it is text that only looks like a manifest, and is passed. */
static int put_model(struct archiver *a, const struct vv_tar_header *h, struct vv_span text, const char *path, bool *done)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_manifest m = {0};
	struct vv_named named = {.manifest = &m};
	struct vv_bytes bytes;
	int ret = vv_manifest_parse(&m, text, &ctx->err);

	if (!ret)
		ret = vv_bytes_open(ctx, &named, &bytes);
	if (ret == VV_ENOTFOUND || ret == VV_EFORMAT || ret == VV_ECORRUPT || ret == VV_ECONFLICT || ret == VV_ENOTSUP) {
		/* A manifest among somebody's test data, say. */
		if (!is_kept(a, path)) {
			vv_err_clear(&ctx->err);
			ret = 0;
		}
		goto out;
	}
	if (ret)
		goto out;
	*done = true;
	if (vv_manifest_is_dir(&m) && vv_is_dir_path(path)) {
		ret = put_dir(a, h, &m, path);
		goto out;
	}
	ret = put_file(a, h, vv_buf_view(&a->pending), &bytes.version);
	vv_progress_end();
	a->models++;
out:
	vv_manifest_release(&m);
	return ret ? vv_err_in(&ctx->err, "%s", path) : 0;
}

/* --- entries --- */

static int put_raw(struct archiver *a, const struct vv_tar_header *h)
{
	int ret = put(a, vv_buf_view(&a->raw));

	return ret ? ret : put(a, vv_span(h, sizeof(*h)));
}

/* A file that may be a manifest: `size` says so. Its first block decides whether all of it is read. */
static int small_file(struct archiver *a, const struct vv_tar_header *h, uint64_t size)
{
	struct vv_ctx *ctx = a->ctx;
	size_t whole = (size_t)size + vv_tar_padding(size);
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST + VV_TAR_BLOCK);
	char *path = vv_tar_path(h, vv_buf_view(&a->pending));
	uint8_t *p = vv_buf_reserve(&text, VV_TAR_BLOCK);
	bool done = false;
	int ret = path && p ? take(a, p, VV_TAR_BLOCK) : vv_fail_nomem(&ctx->err);

	if (ret)
		goto out;
	text.len = VV_TAR_BLOCK;
	if (vv_manifest_detect(vv_span(text.ptr, size < VV_TAR_BLOCK ? (size_t)size : VV_TAR_BLOCK)) != VV_TEXT_OTHER) {
		size_t rest = whole - VV_TAR_BLOCK;
		p = vv_buf_reserve(&text, rest);
		ret = p ? take(a, p, rest) : vv_buf_check(&text, &ctx->err);
		text.len += ret ? 0 : rest;
		if (!ret)
			ret = put_model(a, h, vv_span(text.ptr, (size_t)size), path, &done);
	}
	if (!ret && !done)
		ret = put_raw(a, h);
	if (!ret && !done)
		ret = put(a, vv_buf_view(&text));
	if (!ret && !done)
		ret = pass(a, whole - text.len);
out:
	vv_buf_release(&text);
	free(path);
	return ret;
}

/* A pax header stays until the file that it speaks of. */
static int keep_pax(struct archiver *a, const struct vv_tar_header *h, uint64_t size)
{
	size_t whole = (size_t)size + vv_tar_padding(size);
	uint8_t *p;
	int ret;

	if (size > PAX_MAX)
		return vv_fail(&a->ctx->err, VV_EGIT, "git archive wrote a pax header of %" PRIu64 " bytes", size);
	vv_buf_add(&a->raw, h, sizeof(*h));
	p = vv_buf_reserve(&a->raw, whole);
	ret = p ? take(a, p, whole) : vv_fail_nomem(&a->ctx->err);
	if (ret)
		return ret;
	a->raw.len += whole;
	vv_buf_add(&a->pending, p, (size_t)size);
	return vv_buf_check(&a->pending, &a->ctx->err);
}

static int one_entry(struct archiver *a, const struct vv_tar_header *h)
{
	uint64_t size;
	int ret;

	if (vv_tar_parse(h, &size))
		return vv_fail(&a->ctx->err, VV_EGIT, "git archive wrote something else than tar");
	if (h->type == 'x')
		return keep_pax(a, h, size);
	vv_tar_pax_size(vv_buf_view(&a->pending), &size);
	a->files += h->type == '0' || !h->type;
	if ((h->type == '0' || !h->type) && size >= SMALLEST && size <= VV_MAX_MANIFEST) {
		ret = small_file(a, h, size);
	} else {
		ret = put_raw(a, h);
		/* Links and folders have no content, whatever their size says. */
		if (!ret && (h->type == '0' || !h->type || h->type == 'g'))
			ret = pass(a, size + vv_tar_padding(size));
	}
	vv_buf_clear(&a->pending);
	vv_buf_clear(&a->raw);
	return ret;
}

static int copy_archive(struct archiver *a)
{
	static const struct vv_tar_header end;
	struct vv_tar_header h;
	int ret = 0;

	while (!ret) {
		ret = take(a, &h, sizeof(h));
		if (ret || !memcmp(&h, &end, sizeof(h)))
			break;
		ret = one_entry(a, &h);
	}
	if (!ret)
		ret = put_zeros(a, 2 * VV_TAR_BLOCK);
	if (!ret)
		ret = put_zeros(a, (size_t)((VV_TAR_RECORD - a->written % VV_TAR_RECORD) % VV_TAR_RECORD));
	/* git's own end is longer than one block. */
	while (!ret && fread(a->window, 1, PIECE, a->from.from))
		;
	a->from.ended = true;
	return ret;
}

/* git first says what is wrong with its words; an early end is only what follows from that. */
static int run(struct archiver *a, const struct vv_args *args)
{
	struct vv_ctx *ctx = a->ctx;
	struct vv_err of_git = VV_ERR_INIT;
	int ret;

	a->window = malloc(WINDOW);
	ret = a->window ? vv_lines_open(&a->from, args, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = copy_archive(a);
	if (ret == VV_EGIT)
		a->from.ended = true;
	if (vv_lines_close(&a->from, &of_git) && (!ret || ret == VV_EGIT)) {
		ctx->err = of_git;
		ret = of_git.code;
	}
	vv_lines_release(&a->from);
	free(a->window);
	return ret;
}

static int check_format(struct vv_ctx *ctx, const char *format, const char *file)
{
	const char *dot = file ? strrchr(file, '.') : NULL;

	if (format ? strcmp(format, "tar") != 0 : dot && (!strcmp(dot, ".zip") || !strcmp(dot, ".gz") || !strcmp(dot, ".tgz")))
		return vv_fail(&ctx->err, VV_EUSAGE, "only tar is written here: pipe it through a compressor");
	if ((!file || !strcmp(file, "-")) && (isatty(STDOUT_FILENO) || ctx->json))
		return vv_fail(&ctx->err, VV_EUSAGE,
			ctx->json ? "--json needs -o FILE" : "this is binary data and no terminal's: use -o FILE, or a pipe");
	return 0;
}

static void told(const struct archiver *a, const char *file)
{
	char size[32];

	if (a->ctx->json)
		vv_print_json(json_pack("{s:o,s:I,s:I,s:I}", "file", vv_json_name(file), "files", (json_int_t)a->files, "models",
			(json_int_t)a->models, "bytes", (json_int_t)a->written));
	else if (!a->ctx->quiet && a->out.fd != STDOUT_FILENO)
		fprintf(stderr, "%s: %zu files, %zu of them models, %s\n", file, a->files, a->models, vv_human(a->written, size));
}

int cmd_archive(struct vv_ctx *ctx, int argc, char **argv)
{
	struct archiver a = {.ctx = ctx, .from = VV_LINES_INIT, .out = {.fd = -1, .temp = VV_TEMP_INIT},
		.pending = VV_BUF_INIT(2 * PAX_MAX), .raw = VV_BUF_INIT(4 * PAX_MAX)};
	const char *file = NULL, *format = NULL;
	const struct vv_opt opts[] = {
		{0, "prefix", VV_OPT_TEXT, &a.prefix, "DIR/", "put before every path"},
		{'o', "output", VV_OPT_TEXT, &file, "FILE", "into this file; - is standard output"},
		{0, "format", VV_OPT_TEXT, &format, "tar", "the only one"},
		{0},
	};
	struct vv_args args = {0};
	char *prefix = NULL, *tree = NULL;
	struct vv_buf word = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = vv_opt_parse(ctx, opts, &argc, argv, NULL);

	if (!ret && argc < 2)
		ret = vv_fail(&ctx->err, VV_EUSAGE, "archive takes a revision");
	if (!ret)
		ret = check_format(ctx, format, file);
	if (!ret)
		ret = vv_rev_tree(ctx, argv[1], &tree);
	if (ret)
		goto out;
	vv_buf_fmt(&word, "--prefix=%s", a.prefix ? a.prefix : "");
	prefix = vv_buf_take(&word);
	vv_args_add(&args, "archive");
	vv_args_add(&args, "--format=tar");
	vv_args_add(&args, prefix ? prefix : "--prefix=");
	vv_args_all(&args, (const char *const *)argv + 1);
	ret = vv_repo_pool(&ctx->repo, &ctx->err);
	if (!ret)
		ret = vv_outfile_open(&a.out, file, &ctx->err);
	if (!ret)
		ret = run(&a, &args);
	if (!ret)
		told(&a, file ? file : "");
	if (!ret)
		ret = vv_outfile_commit(&a.out, &ctx->err);
out:
	vv_outfile_release(&a.out);
	vv_buf_release(&a.pending);
	vv_buf_release(&a.raw);
	vv_buf_release(&word);
	vv_args_release(&args);
	free(prefix);
	free(tree);
	return ret;
}
