#define _GNU_SOURCE
#include "cli/mergein.h"

#include "base/check.h"
#include "base/pool.h"
#include "cli/whole.h"
#include "hash/sha256.h"

#include <stdlib.h>
#include <sys/stat.h>

/* The model's file in a folder; owned by the caller. */
static int in_folder(struct vv_ctx *ctx, const char *folder, char **out)
{
	static const char *const names[] = {"model.safetensors", "model-00001-of-", "pytorch_model.bin",
		"pytorch_model-00001-of-", "consolidated.safetensors", "adapter_model.safetensors"};
	struct vv_err *err = &ctx->err;
	char *found = NULL, *best = NULL;
	int ret = 0;

	for (size_t i = 0; i < VV_COUNT(names) && !best && !ret; i++) {
		for (unsigned long of = 1; of < 1000 && !best && !ret; of++) {
			size_t n = strlen(names[i]);
			bool shard = names[i][n - 1] == '-';
			const char *ending = names[i][0] == 'p' ? "bin" : "safetensors";
			if ((shard ? asprintf(&found, "%s%s%05lu.%s", folder, names[i], of, ending)
				   : asprintf(&found, "%s%s", folder, names[i])) < 0)
				ret = vv_fail_nomem(err);
			else if (vv_exists(found))
				best = found;
			else
				free(found);
			if (!shard)
				break;
		}
	}
	if (!ret && !best)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: this folder has no model.safetensors, nor shards of one", folder);
	*out = best;
	return ret;
}

static int open_one(struct vv_ctx *ctx, struct vv_mergein *m, size_t i, const char *name)
{
	char *file = NULL;
	struct stat st;
	int ret = 0;

	if (!stat(name, &st) && S_ISDIR(st.st_mode)) {
		if (asprintf(&m->folder[i], "%s/", name) < 0) {
			m->folder[i] = NULL;
			return vv_fail_nomem(&ctx->err);
		}
		ret = in_folder(ctx, m->folder[i], &file);
	}
	if (!ret)
		ret = vv_named_open(ctx, file ? file : name, &m->named[i]);
	if (!ret)
		ret = vv_whole_find(ctx, &m->named[i], false);
	free(file);
	return ret;
}

static void close_one(struct vv_mergein *m, size_t i)
{
	vv_named_release(&m->named[i]);
	free(m->folder[i]);
	m->folder[i] = NULL;
}

/* The name that git has for its manifest, or would have; "" outside of git, and of a model in several files. */
static int name_manifest(struct vv_ctx *ctx, struct vv_named *n)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret;

	if (n->oid[0] || n->whole || n->outline || !ctx->repo.git_dir)
		return 0;
	ret = vv_manifest_emit(n->manifest, &text, &ctx->err);
	if (!ret)
		vv_git_blob_oid(vv_buf_view(&text), ctx->repo.sha256, n->oid);
	vv_buf_release(&text);
	return ret;
}

/* What follows from a model that is open. */
static int take(struct vv_ctx *ctx, struct vv_mergein *m, size_t i, const char *name)
{
	int ret = vv_bytes_open(ctx, &m->named[i], &m->bytes[i]);

	if (!ret)
		ret = name_manifest(ctx, &m->named[i]);

	m->models[i] = (struct vv_blend_model){m->bytes[i].version, name};
	m->record[i] = (struct vv_record_input){name, m->named[i].oid, m->named[i].manifest->sha256};
	return ret;
}

static int make(struct vv_ctx *ctx, struct vv_mergein *m, size_t n)
{
	*m = (struct vv_mergein){n, calloc(n, sizeof(*m->named)), calloc(n, sizeof(*m->bytes)), calloc(n, sizeof(*m->models)),
		calloc(n, sizeof(*m->record)), calloc(n, sizeof(*m->folder))};
	return m->named && m->bytes && m->models && m->record && m->folder ? 0 : vv_fail_nomem(&ctx->err);
}

/*
 * Only the SHA-256 of files is needed, and none of their tensors': files are hashed side by side, once all of them are open.
 * An index tells its files apart by what they are.
 */
static int open_outline(struct vv_ctx *ctx, struct vv_mergein *m, size_t i, const char *name)
{
	int ret;

	ctx->outline = true;
	ret = open_one(ctx, m, i, name);
	ctx->outline = false;
	if (ret || !m->named[i].whole || !m->named[i].whole->index.n)
		return ret;
	close_one(m, i);
	return open_one(ctx, m, i, name);
}

struct hashing {
	struct vv_named **files;
	size_t n;
	struct vv_progress *prog;
	uint64_t total;
	_Atomic uint64_t done;
};

/* Worker 0 is the thread that may show how far it is. */
static int hash_one(void *arg, size_t job, unsigned worker, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	struct hashing *h = arg;
	struct vv_named *n = h->files[job];
	const struct vv_source *src = &n->file->base;
	struct vv_sha256 sha = {NULL};
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? vv_sha256_init(&sha, err) : vv_fail_nomem(err);

	for (uint64_t off = 0, len; off < src->size && !ret; off += len) {
		len = vv_min64(PIECE, src->size - off);
		ret = vv_source_read(src, off, buf, (size_t)len, err);
		if (!ret)
			vv_sha256_update(&sha, vv_span(buf, (size_t)len));
		h->done += len;
		if (!worker)
			vv_progress(h->prog, "hashing", h->done, h->total);
	}
	if (!ret)
		vv_sha256_final(&sha, &n->manifest->sha256);
	vv_sha256_release(&sha);
	free(buf);
	return ret ? vv_err_in(err, "%s", n->path) : 0;
}

static void gather(struct hashing *h, struct vv_named *n)
{
	for (size_t i = 0; n->whole && i < n->whole->n; i++)
		gather(h, &n->whole->files[i]);
	if (!n->outline || !n->file)
		return;
	if (h->files)
		h->files[h->n] = n;
	h->n++;
	h->total += n->file->base.size;
}

static int hash_files(struct vv_ctx *ctx, struct vv_mergein *m)
{
	struct hashing h = {.prog = ctx->progress};
	int ret;

	for (size_t i = 0; i < m->n; i++)
		gather(&h, &m->named[i]);
	h.files = malloc((h.n + 1) * sizeof(struct vv_named *));
	h.n = 0;
	h.total = 0;
	for (size_t i = 0; i < m->n && h.files; i++)
		gather(&h, &m->named[i]);
	ret = h.files ? vv_repo_pool(&ctx->repo, &ctx->err) : vv_fail_nomem(&ctx->err);
	if (!ret)
		ret = vv_pool_run(ctx->repo.pool, h.n, hash_one, &h, &ctx->err);
	vv_progress_end();
	for (size_t i = 0; i < m->n && !ret; i++)
		if (m->named[i].whole)
			ret = vv_group_sum(&m->named[i].whole->group, &ctx->err);
	free(h.files);
	return ret;
}

int vv_mergein_open_ids(struct vv_ctx *ctx, struct vv_mergein *m, const char *const *names, size_t n)
{
	int ret = make(ctx, m, n);

	for (size_t i = 0; i < n && !ret; i++) {
		ret = open_one(ctx, m, i, names[i]);
		if (!ret)
			ret = take(ctx, m, i, names[i]);
	}
	return ret;
}

int vv_mergein_open(struct vv_ctx *ctx, struct vv_mergein *m, const char *const *names, size_t n)
{
	int ret = make(ctx, m, n);

	for (size_t i = 0; i < n && !ret; i++)
		ret = open_outline(ctx, m, i, names[i]);
	if (!ret)
		ret = hash_files(ctx, m);
	for (size_t i = 0; i < n && !ret; i++)
		ret = take(ctx, m, i, names[i]);
	return ret;
}

/* Is what was opened the one that is wanted? If not it is closed. */
static bool right(struct vv_mergein *m, size_t i, int ret, const struct vv_id *want)
{
	if (!ret && vv_id_eq(&m->named[i].manifest->sha256, want))
		return true;
	close_one(m, i);
	return false;
}

static int find_recorded(
	struct vv_ctx *ctx, struct vv_mergein *m, size_t i, const struct vv_record_input *in, char *const *given, size_t n_given)
{
	char hex[VV_ID_HEX + 1];
	struct vv_err none = VV_ERR_INIT;
	bool found = false;

	for (size_t k = 0; k < n_given && !found; k++) {
		int ret = open_one(ctx, m, i, given[k]);
		if (ret)
			return ret;
		found = right(m, i, 0, &in->sha256);
	}
	if (!found && in->manifest[0] && (ctx->repo.git_dir || !vv_repo_open(&ctx->repo, &none)))
		found = right(m, i, vv_named_blob(ctx, in->manifest, in->path, &m->named[i]), &in->sha256);
	/* The path is another's word: a file does not say what is opened. */
	vv_err_clear(&ctx->err);
	return found ? 0 : vv_fail(&ctx->err, VV_ENOTFOUND, "%s, of sha256:%s, is not in the store: name the file as an argument", in->path,
		vv_id_hex(&in->sha256, hex));
}

int vv_mergein_recorded(
	struct vv_ctx *ctx, struct vv_mergein *m, const struct vv_record *r, char *const *given, size_t n_given)
{
	int ret = make(ctx, m, r->r.n_models);

	for (size_t i = 0; i < m->n && !ret; i++) {
		ret = find_recorded(ctx, m, i, &r->in[i], given, n_given);
		if (!ret)
			ret = take(ctx, m, i, r->in[i].path);
	}
	return ret;
}

static int unchanged(struct vv_ctx *ctx, const struct vv_named *n)
{
	char *full;
	int ret = 0;

	for (size_t i = 0; n->whole && i < n->whole->n && !ret; i++)
		ret = unchanged(ctx, &n->whole->files[i]);
	if (ret || !n->file)
		return ret;
	full = n->outside ? strdup(n->path) : vv_repo_path(&ctx->repo, n->path);
	ret = full ? vv_file_unchanged(n->file, full, &ctx->err) : vv_fail_nomem(&ctx->err);
	free(full);
	return ret;
}

int vv_mergein_unchanged(struct vv_ctx *ctx, const struct vv_mergein *m)
{
	int ret = 0;

	for (size_t i = 0; i < m->n && !ret; i++)
		ret = unchanged(ctx, &m->named[i]);
	return ret;
}

void vv_mergein_release(struct vv_mergein *m)
{
	for (size_t i = 0; i < m->n && m->named; i++)
		vv_named_release(&m->named[i]);
	for (size_t i = 0; i < m->n && m->folder; i++)
		free(m->folder[i]);
	free(m->named);
	free(m->bytes);
	free(m->models);
	free(m->record);
	free(m->folder);
	*m = (struct vv_mergein){.n = 0};
}
