#include "cli/keptfile.h"

#include "os/file.h"

#include <stdlib.h>

/* A row of numbers takes 232 bytes, a sketch up to 2168. */
enum { MOST = 256 * VV_KEPT_MAX_ROWS };

static const char stats[] = "stats", sketches[] = "sketches";

/* Owned by the caller; NULL: there is no store, or no memory. */
static char *folder(const struct vv_repo *r, const char *name)
{
	char *dir, *in;

	if (!r->common_dir || !vv_repo_has_store(r))
		return NULL;
	dir = vv_join(r->common_dir, "varve");
	in = dir ? vv_join(dir, name) : NULL;
	free(dir);
	return in;
}

/* Empty when it cannot be read. */
static void load(const struct vv_repo *r, const char *name, const struct vv_id *key, struct vv_buf *out)
{
	struct vv_err ignore = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1], *dir = folder(r, name), *path = dir ? vv_join(dir, vv_id_hex(key, hex)) : NULL;

	if (path && vv_read_file(out, path, &ignore))
		vv_buf_clear(out);
	free(dir);
	free(path);
}

/* Not durable, and no matter when it fails: it is measured again. */
static void save(const struct vv_repo *r, const char *name, const struct vv_id *key, const struct vv_buf *bytes)
{
	struct vv_err ignore = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1], *dir = folder(r, name), *path = dir ? vv_join(dir, vv_id_hex(key, hex)) : NULL;

	if (path && bytes->len && !bytes->failed && !vv_mkdirs(dir, &ignore) &&
		vv_write_file(path, vv_buf_view(bytes), false, &ignore))
		vv_err_clear(&ignore);
	free(dir);
	free(path);
}

void vv_keptfile_load(const struct vv_repo *r, struct vv_kept *k)
{
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_err ignore = VV_ERR_INIT;

	load(r, stats, &k->key, &bytes);
	if (bytes.len && vv_kept_load(k, vv_buf_view(&bytes), &ignore))
		vv_err_clear(&ignore);
	vv_buf_release(&bytes);
}

void vv_keptfile_save(const struct vv_repo *r, const struct vv_kept *k)
{
	struct vv_buf bytes = VV_BUF_INIT(MOST);

	if (k->n <= VV_KEPT_MAX_ROWS)
		vv_kept_emit(k, &bytes);
	save(r, stats, &k->key, &bytes);
	vv_buf_release(&bytes);
}

/* --- sketches --- */

static void load_sketches(const struct vv_repo *r, const struct vv_manifest *m, struct vv_sketches *s)
{
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_id key;
	size_t n = 0;

	if (vv_sketches_key(&key, &n, m, &ignore) || !n)
		return;
	load(r, sketches, &key, &bytes);
	if (bytes.len && vv_sketches_load(s, vv_buf_view(&bytes), &ignore))
		vv_err_clear(&ignore);
	vv_buf_release(&bytes);
}

/* Shards are sketched each for itself; the tensors of an index lie in files that know nothing of them. */
static bool has_files(const struct vv_named *n)
{
	return n->whole && !n->whole->index.n;
}

void vv_sketchfile_load(const struct vv_repo *r, const struct vv_named *n, struct vv_sketches *s)
{
	if (has_files(n))
		for (size_t i = 0; i < n->whole->n; i++)
			load_sketches(r, n->whole->files[i].manifest, s);
	else if (n->manifest)
		load_sketches(r, n->manifest, s);
}

static int make_sketches(struct vv_ctx *ctx, const struct vv_named *n, struct vv_sketches *s)
{
	struct vv_repo *r = &ctx->repo;
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_bytes from;
	struct vv_id key;
	size_t lack = 0;
	int ret = vv_sketches_lack(s, n->manifest, &lack, &ctx->err);

	if (ret || !lack)
		return ret;
	ret = vv_repo_pool(r, &ctx->err);
	if (!ret)
		ret = vv_bytes_open(ctx, n, &from);
	if (!ret)
		ret = vv_sketches_make(s, &from.version, r->pool, ctx->progress, &ctx->err);
	vv_progress_end();
	if (!ret)
		ret = vv_sketches_emit(s, n->manifest, &bytes, &ctx->err);
	if (!ret)
		ret = vv_sketches_key(&key, &lack, n->manifest, &ctx->err);
	if (!ret && lack <= VV_SKETCH_MAX_ROWS)
		save(r, sketches, &key, &bytes);
	vv_buf_release(&bytes);
	return ret;
}

int vv_sketchfile_make(struct vv_ctx *ctx, const struct vv_named *n, struct vv_sketches *s)
{
	int ret = 0;

	if (!has_files(n))
		return n->manifest ? make_sketches(ctx, n, s) : 0;
	for (size_t i = 0; i < n->whole->n && !ret; i++)
		ret = make_sketches(ctx, &n->whole->files[i], s);
	return ret;
}

/* --- what nobody asks for any more --- */

struct clearer {
	const char *dir;
	int (*each_id)(struct vv_span bytes, int (*fn)(void *arg, const struct vv_id *id, struct vv_err *err), void *arg,
		struct vv_err *err);
	const struct vv_ids *live;
};

static int is_live(void *arg, const struct vv_id *id, struct vv_err *err)
{
	return vv_ids_has(arg, id) ? 0 : vv_fail(err, VV_ENOTFOUND, "gone");
}

/* Nothing else is ever removed, wherever the folder leads. */
static bool is_ours(const char *name)
{
	struct vv_id key;

	return !vv_id_parse(&key, vv_span_str(name)) || !strncmp(name, ".varve-tmp-", 11);
}

static int clear_one(void *arg, const char *name, struct vv_err *err)
{
	const struct clearer *c = arg;
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_err ignore = VV_ERR_INIT;
	char *path;
	int ret;

	if (!is_ours(name))
		return 0;
	path = vv_join(c->dir, name);
	ret = path ? 0 : vv_fail_nomem(err);

	/* A file in the making that goes away, too, is written again at the next diff. */
	if (!ret && (vv_read_file(&bytes, path, &ignore) ||
			c->each_id(vv_buf_view(&bytes), is_live, (void *)(uintptr_t)c->live, &ignore))) {
		vv_err_clear(&ignore);
		if (vv_unlink(path, &ignore))
			vv_err_clear(&ignore);
	}
	vv_buf_release(&bytes);
	free(path);
	return ret;
}

void vv_keptfile_clear(const struct vv_repo *r, const struct vv_ids *live)
{
	struct clearer all[] = {{folder(r, stats), vv_kept_each_id, live}, {folder(r, sketches), vv_sketches_each_id, live}};
	struct vv_err ignore = VV_ERR_INIT;

	for (size_t i = 0; i < VV_COUNT(all); i++) {
		if (all[i].dir && vv_each_name(all[i].dir, clear_one, &all[i], &ignore))
			vv_err_clear(&ignore);
		free((char *)(uintptr_t)all[i].dir);
	}
}

struct summer {
	const char *dir;
	uint64_t bytes;
};

static int add_size(void *arg, const char *name, struct vv_err *err)
{
	struct summer *s = arg;
	char *path = vv_join(s->dir, name);
	struct stat st;

	if (!path)
		return vv_fail_nomem(err);
	if (is_ours(name) && !lstat(path, &st))
		s->bytes += (uint64_t)st.st_size;
	free(path);
	return 0;
}

uint64_t vv_keptfile_usage(const struct vv_repo *r)
{
	const char *const names[] = {stats, sketches};
	struct vv_err ignore = VV_ERR_INIT;
	uint64_t bytes = 0;

	for (size_t i = 0; i < VV_COUNT(names); i++) {
		char *dir = folder(r, names[i]);
		struct summer s = {dir, 0};

		if (dir && vv_each_name(dir, add_size, &s, &ignore))
			vv_err_clear(&ignore);
		bytes += s.bytes;
		free(dir);
	}
	return bytes;
}
