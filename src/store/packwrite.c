/* Making a pack: records in, then footer, fsync, name. Nothing is seen under its name before it is whole. */
#include "store/internal.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

enum { BEHIND = 8 << 20, BUFFER = 1 << 20 };

void writer_init(struct pack_writer *w, struct vv_store *s)
{
	*w = (struct pack_writer){.store = s, .temp = VV_TEMP_INIT, .buf = VV_BUF_INIT(BUFFER + 65536)};
}

/* The disk works while the next blocks are encoded. */
static int flush(struct pack_writer *w, struct vv_err *err)
{
	int ret = vv_write_fd(w->temp.fd, vv_buf_view(&w->buf), w->temp.path, err);

	if (!ret && w->at - w->behind >= BEHIND) {
		vv_write_behind(w->temp.fd, w->behind, w->at - w->behind);
		w->behind = w->at;
	}
	vv_buf_clear(&w->buf);
	return ret;
}

int writer_begin(struct pack_writer *w, struct vv_err *err)
{
	static const uint8_t head[PACK_HEAD] = "VVPACK\x01";
	char *dir;
	int ret;

	if (w->open)
		return 0;
	dir = vv_join(w->store->dir, "packs");
	ret = dir ? vv_temp_open(&w->temp, dir, err) : vv_fail_nomem(err);
	free(dir);
	if (!ret)
		ret = vv_sha256_init(&w->sha, err);
	if (ret)
		return ret;
	w->open = true;
	w->at = w->behind = 0;
	w->n = 0;
	return writer_bytes(w, vv_span(head, sizeof(head)), err);
}

int writer_bytes(struct pack_writer *w, struct vv_span data, struct vv_err *err)
{
	int ret = writer_begin(w, err);

	if (ret)
		return ret;
	w->at += data.len;
	if (w->at > MAX_48)
		return vv_fail(err, VV_ELIMIT, "a pack of more than 2^48 bytes");
	vv_sha256_update(&w->sha, data);
	if (w->buf.len + data.len > BUFFER || data.len > BUFFER / 4)
		ret = flush(w, err);
	if (ret)
		return ret;
	if (data.len > BUFFER / 4)
		return vv_write_fd(w->temp.fd, data, w->temp.path, err);
	vv_buf_span(&w->buf, data);
	return vv_buf_check(&w->buf, err);
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

int writer_record(struct pack_writer *w, struct vv_store *s, struct pack *p, const struct entry *from, struct vv_err *err)
{
	enum { PIECE = 256 << 10 };
	uint8_t *buf = malloc((size_t)vv_min64(from->stored, PIECE));
	struct entry e = *from;
	int ret = buf ? writer_begin(w, err) : vv_fail_nomem(err);

	e.off = w->at;
	for (uint64_t at = 0; at < e.stored && !ret; at += PIECE) {
		size_t len = (size_t)vv_min64(e.stored - at, PIECE);
		ret = pack_read(s, p, from->off + at, buf, len, err);
		if (!ret)
			ret = writer_bytes(w, vv_span(buf, len), err);
	}
	if (!ret)
		ret = writer_entry(w, &e, err);
	free(buf);
	return ret;
}

static int by_id(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = vv_id_cmp(&x->id, &y->id);

	return c ? c : x->depth < y->depth ? -1 : x->depth > y->depth;
}

/* By id; of two copies, which only a repair may make, the one with the shorter chain. */
static void sort_entries(struct pack_writer *w)
{
	size_t kept = 0;

	qsort(w->entries, w->n, sizeof(*w->entries), by_id);
	for (size_t i = 0; i < w->n; i++)
		if (!kept || !vv_id_eq(&w->entries[kept - 1].id, &w->entries[i].id))
			w->entries[kept++] = w->entries[i];
	w->n = kept;
}

static int id_order(const void *a, const void *b)
{
	return vv_id_cmp(a, b);
}

/* The distinct bases, sorted. */
static int list_bases(const struct pack_writer *w, struct vv_id **out, size_t *out_n, struct vv_err *err)
{
	struct vv_id *v = malloc((w->n + 1) * sizeof(*v));
	size_t n = 0, kept = 0;

	if (!v)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < w->n; i++)
		if (w->entries[i].depth)
			v[n++] = w->entries[i].base;
	qsort(v, n, sizeof(*v), id_order);
	for (size_t i = 0; i < n; i++)
		if (!i || !vv_id_eq(&v[i], &v[i - 1]))
			v[kept++] = v[i];
	*out = v;
	*out_n = kept;
	return 0;
}

/* Sorted entries, the bases they name, then the trailer. */
static int write_footer(struct pack_writer *w, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(SIZE_MAX / 2);
	struct vv_id *bases = NULL, *at;
	uint64_t off = w->at;
	size_t n_bases = 0;
	int ret;

	sort_entries(w);
	ret = list_bases(w, &bases, &n_bases, err);
	if (ret)
		return ret;
	for (size_t i = 0; i < w->n; i++) {
		const struct entry *e = &w->entries[i];
		at = e->depth ? bsearch(&e->base, bases, n_bases, sizeof(*bases), id_order) : bases;
		entry_emit(&b, e, (uint32_t)(at - bases));
	}
	vv_buf_add(&b, bases, n_bases * VV_ID_BYTES);
	if (!b.failed) {
		uint64_t sum = XXH64(b.ptr, b.len, 0);
		vv_buf_le(&b, off, 8);
		vv_buf_le(&b, w->n, 4);
		vv_buf_le(&b, n_bases, 4);
		vv_buf_le(&b, sum, 8);
		vv_buf_str(&b, "VVPKEND\n");
	}
	ret = vv_buf_check(&b, err);
	if (!ret)
		ret = writer_bytes(w, vv_buf_view(&b), err);
	vv_buf_release(&b);
	free(bases);
	return ret;
}

/* The name is taken: by the same bytes, put by somebody else, or by a file that was damaged since. */
static int replace_damaged(
	struct vv_store *s, const struct vv_temp *t, const char *path, const struct vv_id *id, struct vv_err *err)
{
	struct vv_err why = VV_ERR_INIT;
	int ret = pack_verify(path, id, &why);
	uint64_t *known;

	if (!ret)
		return 0;
	if (ret != VV_ECORRUPT)
		return vv_fail(err, ret, "%s", why.msg);
	pthread_mutex_lock(&s->lock);
	known = vv_map_find(&s->names, vv_span(id->b, VV_ID_BYTES));
	pthread_mutex_unlock(&s->lock);
	ret = store_quarantine(s, path, known ? (struct pack *)(uintptr_t)*known : NULL, err);
	if (!ret)
		ret = vv_rename(t->path, path, err);
	return ret ? ret : vv_sync_dir(t->dir, err);
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
		ret = replace_damaged(w->store, &w->temp, path, &id, err);
	if (!ret)
		ret = pack_open(out, path, &id, err);
	free(path);
	writer_release(w);
	return ret;
}

int pack_take(struct vv_store *s, const char *path, const struct vv_id *name, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1], file[VV_ID_HEX + 8], *to = NULL, *dir = vv_join(s->dir, "packs");
	struct vv_temp t = {open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), strdup(path), dir};
	struct pack *p = NULL;
	int ret = t.fd < 0 ? vv_fail_sys(err, errno, "%s", path) : 0;

	snprintf(file, sizeof(file), "%s.pack", vv_id_hex(name, hex));
	to = store_path(s, "packs", file);
	if (!ret && (!to || !t.path || !dir))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_temp_publish_new(&t, to, 0444, err);
	if (ret == VV_EEXISTS)
		ret = replace_damaged(s, &t, to, name, err);
	if (!ret)
		ret = pack_open(&p, to, name, err);
	if (!ret)
		ret = store_add_pack(s, p, err);
	vv_temp_release(&t);
	free(to);
	return ret;
}

int writer_publish(struct pack_writer *w, struct vv_err *err)
{
	struct pack *made = NULL;
	int ret = writer_finish(w, &made, err);

	return !ret && made ? store_add_pack(w->store, made, err) : ret;
}

void writer_release(struct pack_writer *w)
{
	vv_temp_release(&w->temp);
	vv_sha256_release(&w->sha);
	vv_buf_release(&w->buf);
	free(w->entries);
	writer_init(w, w->store);
}
