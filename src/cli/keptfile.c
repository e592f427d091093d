#include "cli/keptfile.h"

#include "os/file.h"

#include <stdlib.h>

/* A row takes 232 bytes. */
enum { MOST = 256 * VV_KEPT_MAX_ROWS };

/* Owned by the caller; NULL: there is no store, or no memory. */
static char *folder(const struct vv_repo *r)
{
	char *dir, *stats;

	if (!r->common_dir || !vv_repo_has_store(r))
		return NULL;
	dir = vv_join(r->common_dir, "varve");
	stats = dir ? vv_join(dir, "stats") : NULL;
	free(dir);
	return stats;
}

void vv_keptfile_load(const struct vv_repo *r, struct vv_kept *k)
{
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_err ignore = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1], *dir = folder(r), *path = dir ? vv_join(dir, vv_id_hex(&k->key, hex)) : NULL;

	if (path && !vv_read_file(&bytes, path, &ignore) && vv_kept_load(k, vv_buf_view(&bytes), &ignore))
		vv_err_clear(&ignore);
	vv_buf_release(&bytes);
	free(dir);
	free(path);
}

void vv_keptfile_save(const struct vv_repo *r, const struct vv_kept *k)
{
	struct vv_buf bytes = VV_BUF_INIT(MOST);
	struct vv_err ignore = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1], *dir = folder(r), *path = dir ? vv_join(dir, vv_id_hex(&k->key, hex)) : NULL;

	if (path && k->n <= VV_KEPT_MAX_ROWS)
		vv_kept_emit(k, &bytes);
	/* Not durable, and no matter when it fails: it is measured again. */
	if (bytes.len && !bytes.failed && !vv_mkdirs(dir, &ignore) && vv_write_file(path, vv_buf_view(&bytes), false, &ignore))
		vv_err_clear(&ignore);
	vv_buf_release(&bytes);
	free(dir);
	free(path);
}

/* --- what nobody asks for any more --- */

struct clearer {
	const char *dir;
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
			vv_kept_each_id(vv_buf_view(&bytes), is_live, (void *)(uintptr_t)c->live, &ignore))) {
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
	struct vv_err ignore = VV_ERR_INIT;
	char *dir = folder(r);
	struct clearer c = {dir, live};

	if (dir && vv_each_name(dir, clear_one, &c, &ignore))
		vv_err_clear(&ignore);
	free(dir);
}
