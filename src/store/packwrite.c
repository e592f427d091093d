/* Making a pack: records in, then footer, fsync, name. Nothing is seen under its name before it is whole. */
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { BUFFER = 1 << 20 };

void writer_init(struct pack_writer *w, struct vv_store *s)
{
	*w = (struct pack_writer){.store = s, .temp = VV_TEMP_INIT, .buf = VV_BUF_INIT(BUFFER + 65536)};
}

static int flush(struct pack_writer *w, struct vv_err *err)
{
	int ret = vv_write_fd(w->temp.fd, vv_buf_view(&w->buf), w->temp.path, err);

	vv_buf_clear(&w->buf);
	return ret;
}

static int begin(struct pack_writer *w, struct vv_err *err)
{
	static const uint8_t head[PACK_HEAD] = "VVPACK\x01";
	char *dir = vv_join(w->store->dir, "packs");
	int ret = dir ? vv_temp_open(&w->temp, dir, err) : vv_fail_nomem(err);

	free(dir);
	if (!ret)
		ret = vv_sha256_init(&w->sha, err);
	if (ret)
		return ret;
	w->open = true;
	w->at = 0;
	w->n = 0;
	return writer_bytes(w, vv_span(head, sizeof(head)), err);
}

int writer_bytes(struct pack_writer *w, struct vv_span data, struct vv_err *err)
{
	int ret = w->open ? 0 : begin(w, err);

	if (ret)
		return ret;
	w->at += data.len;
	vv_sha256_update(&w->sha, data);
	if (w->buf.len + data.len > BUFFER) {
		ret = flush(w, err);
		if (!ret && data.len >= BUFFER / 4)
			return vv_write_fd(w->temp.fd, data, w->temp.path, err);
	}
	if (!ret) {
		vv_buf_span(&w->buf, data);
		ret = vv_buf_check(&w->buf, err);
	}
	return ret;
}

int writer_entry(struct pack_writer *w, const struct entry *e, struct vv_err *err)
{
	if (w->n == w->cap) {
		size_t cap = w->cap ? w->cap * 2 : 64;
		struct entry *v = realloc(w->entries, cap * sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		w->entries = v;
		w->cap = cap;
	}
	w->entries[w->n++] = *e;
	return 0;
}

static int by_id(const void *a, const void *b)
{
	return vv_id_cmp(&((const struct entry *)a)->id, &((const struct entry *)b)->id);
}

/* Sorted entries, then the trailer. */
static int write_footer(struct pack_writer *w, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT((size_t)UINT32_MAX * PACK_ENTRY);
	uint64_t off = w->at;
	int ret;

	qsort(w->entries, w->n, sizeof(*w->entries), by_id);
	for (size_t i = 0; i < w->n; i++)
		entry_emit(&b, &w->entries[i]);
	if (!b.failed) {
		uint64_t sum = XXH64(b.ptr, b.len, 0);
		vv_buf_le(&b, off, 8);
		vv_buf_le(&b, w->n, 8);
		vv_buf_le(&b, sum, 8);
		vv_buf_str(&b, "VVPKEND\n");
	}
	ret = vv_buf_check(&b, err);
	for (size_t at = 0; at < b.len && !ret; at += 65536)
		ret = writer_bytes(w, vv_span(b.ptr + at, b.len - at < 65536 ? b.len - at : 65536), err);
	vv_buf_release(&b);
	return ret;
}

/* The name is taken: by the same bytes, put by somebody else, or by a file that was damaged since. */
static int replace_damaged(struct pack_writer *w, const char *path, const struct vv_id *id, struct vv_err *err)
{
	uint64_t *known = vv_map_find(&w->store->names, vv_span(id->b, VV_ID_BYTES));
	struct vv_err why = VV_ERR_INIT;
	int ret = pack_verify(path, id, &why);

	if (!ret)
		return 0;
	if (ret != VV_ECORRUPT)
		return vv_fail(err, ret, "%s", why.msg);
	ret = store_quarantine(w->store, path, known ? (struct pack *)(uintptr_t)*known : NULL, err);
	if (!ret)
		ret = vv_rename(w->temp.path, path, err);
	return ret ? ret : vv_sync_dir(w->temp.dir, err);
}

int writer_finish(struct pack_writer *w, struct pack **out, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1], name[VV_ID_HEX + 8], *path = NULL;
	struct vv_id id;
	int ret;

	*out = NULL;
	if (!w->open || !w->n) {
		writer_release(w);
		return 0;
	}
	ret = write_footer(w, err);
	if (!ret)
		ret = flush(w, err);
	if (ret)
		return ret;
	vv_sha256_final(&w->sha, &id);
	snprintf(name, sizeof(name), "%s.pack", vv_id_hex(&id, hex));
	path = store_path(w->store, "packs", name);
	if (!path)
		return vv_fail_nomem(err);
	ret = vv_temp_publish_new(&w->temp, path, 0444, err);
	if (ret == VV_EEXISTS)
		ret = replace_damaged(w, path, &id, err);
	if (!ret)
		ret = pack_open(out, path, &id, err);
	free(path);
	writer_release(w);
	return ret;
}

void writer_release(struct pack_writer *w)
{
	vv_temp_release(&w->temp);
	vv_sha256_release(&w->sha);
	vv_buf_release(&w->buf);
	free(w->entries);
	writer_init(w, w->store);
}
