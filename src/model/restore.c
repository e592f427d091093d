/* A version out of the store: the whole file at once, or any part of it. */
#include "base/check.h"
#include "hash/sha256.h"
#include "model/model.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_BACK = 1 << 20 };

static int read_back(int fd, const char *path, uint64_t off, uint8_t *dst, size_t len, struct vv_err *err)
{
	while (len) {
		ssize_t n = pread(fd, dst, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return vv_fail_sys(err, errno, "%s", path);
		if (!n)
			return vv_fail(err, VV_ECORRUPT, "%s: ends at %" PRIu64 " after it was written", path, off);
		dst += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int check_file(
	const struct vv_manifest *m, int fd, const char *path, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_sha256 h;
	struct vv_id id;
	uint8_t *buf = malloc(READ_BACK);
	int ret = buf ? vv_sha256_init(&h, err) : vv_fail_nomem(err);

	if (ret) {
		free(buf);
		return ret;
	}
	for (uint64_t off = 0; off < m->size && !ret;) {
		size_t n = (size_t)vv_min64(READ_BACK, m->size - off);
		ret = read_back(fd, path, off, buf, n, err);
		if (!ret)
			vv_sha256_update(&h, vv_span(buf, n));
		off += n;
		vv_progress(prog, "checking", off, m->size);
	}
	if (!ret) {
		vv_sha256_final(&h, &id);
		if (!vv_id_eq(&id, &m->sha256))
			ret = vv_fail(err, VV_ECORRUPT, "%s: its parts are right but the file is not: the manifest lies",
				path);
	}
	vv_sha256_release(&h);
	free(buf);
	return ret;
}

int vv_model_get_fd(struct vv_store *store, const struct vv_manifest *m, int fd, const char *path,
	unsigned flags, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_get_item *items = calloc(m->n_segs ? m->n_segs : 1, sizeof(*items));
	size_t n = 0;
	int ret;

	if (!items)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->n_segs; i++)
		if (m->segs[i].seg.len)
			items[n++] = (struct vv_get_item){
				.id = m->segs[i].id, .len = m->segs[i].seg.len, .off = m->segs[i].seg.off};
	ret = n ? vv_store_get_fd(store, items, n, fd, path, prog, err) : 0;
	if (!ret && (flags & VV_MODEL_CHECK_FILE))
		ret = check_file(m, fd, path, prog, err);
	free(items);
	return ret;
}

int vv_model_has(struct vv_store *store, const struct vv_manifest *m, size_t *missing, struct vv_err *err)
{
	const struct vv_manifest_seg *first = NULL;
	size_t n = 0;
	char hex[VV_ID_HEX + 1];

	for (size_t i = 0; i < m->n_segs; i++)
		if (m->segs[i].seg.len && !vv_store_has(store, &m->segs[i].id)) {
			first = first ? first : &m->segs[i];
			n++;
		}
	if (missing)
		*missing = n;
	if (!first)
		return 0;
	return vv_fail(err, VV_ENOTFOUND, "%s is not in the store (%s)", vv_id_hex(&first->id, hex),
		first->seg.n_views ? first->seg.views->name : "opaque bytes");
}

/* The last segment that starts at or before `off`. */
static size_t segment_at(const struct vv_manifest *m, uint64_t off)
{
	size_t lo = 0, hi = m->n_segs;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->segs[mid].seg.off <= off)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

static int source_read_at(
	const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_model_source *s = (const struct vv_model_source *)self;
	uint8_t *p = dst;

	for (size_t i = segment_at(s->m, off); len; i++) {
		const struct vv_manifest_seg *ms = &s->m->segs[i];
		uint64_t in = off - ms->seg.off;
		size_t n = (size_t)vv_min64(ms->seg.len - in, len);
		int ret = n ? vv_store_read(s->store, &ms->id, in, p, n, err) : 0;
		if (ret)
			return ret;
		p += n;
		off += n;
		len -= n;
	}
	return 0;
}

void vv_model_source_init(struct vv_model_source *s, struct vv_store *store, const struct vv_manifest *m)
{
	*s = (struct vv_model_source){.base = {m->size, source_read_at}, .store = store, .m = m};
}
