/* A remote in memory. Nothing is checked but the pack's name, and nothing outlives it. */
#include "remote/remote.h"

#include "hash/sha256.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdlib.h>

struct blob {
	struct blob *next;
	struct vv_id pack;
	struct vv_buf bytes;
};

struct memory {
	struct vv_remote base;
	struct blob *blobs;
};

static const struct blob *find(const struct memory *m, const struct vv_id *pack)
{
	const struct blob *b = m->blobs;

	while (b && !vv_id_eq(&b->pack, pack))
		b = b->next;
	return b;
}

static int gone(const struct vv_id *pack, struct vv_err *err)
{
	char hex[VV_ID_HEX + 1];

	return vv_fail(err, VV_ENOTFOUND, "memory: no pack %s", vv_id_hex(pack, hex));
}

static int list(struct vv_remote *r, int (*fn)(void *, const struct vv_id *, uint64_t, struct vv_err *), void *arg,
	struct vv_err *err)
{
	int ret = 0;

	for (const struct blob *b = ((struct memory *)r)->blobs; b && !ret; b = b->next)
		ret = fn(arg, &b->pack, b->bytes.len, err);
	return ret;
}

static int get(struct vv_remote *r, const struct vv_extent *parts, size_t n,
	int (*take)(void *, size_t, uint64_t, struct vv_span, struct vv_err *), void *arg, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		const struct blob *b = find((struct memory *)r, &parts[i].pack);
		if (!b)
			ret = gone(&parts[i].pack, err);
		else if (parts[i].off > b->bytes.len || parts[i].len > b->bytes.len - parts[i].off)
			ret = vv_fail(err, VV_EUSAGE, "memory: no %" PRIu64 " bytes at offset %" PRIu64, parts[i].len, parts[i].off);
		else if (parts[i].len)
			ret = take(arg, i, parts[i].off, vv_span(b->bytes.ptr + parts[i].off, (size_t)parts[i].len), err);
	}
	return ret;
}

static int put(struct vv_remote *r, const struct vv_id *pack, const char *path, struct vv_progress *prog VV_UNUSED,
	struct vv_err *err)
{
	struct memory *m = (struct memory *)r;
	struct blob *b;
	struct vv_id id;
	int ret;

	if (find(m, pack))
		return 0;
	b = calloc(1, sizeof(*b));
	if (!b)
		return vv_fail_nomem(err);
	*b = (struct blob){m->blobs, *pack, VV_BUF_INIT(SIZE_MAX / 2)};
	ret = vv_read_file(&b->bytes, path, err);
	vv_sha256(vv_buf_view(&b->bytes), &id);
	if (!ret && !vv_id_eq(&id, pack))
		ret = vv_fail(err, VV_ECORRUPT, "%s: its bytes have another SHA-256", path);
	if (!ret) {
		m->blobs = b;
		return 0;
	}
	vv_buf_release(&b->bytes);
	free(b);
	return ret;
}

static int keep(struct vv_remote *r, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	for (size_t i = 0; i < n; i++)
		if (!find((struct memory *)r, &packs[i]))
			return gone(&packs[i], err);
	return 0;
}

static void close_memory(struct vv_remote *r)
{
	struct memory *m = (struct memory *)r;

	for (struct blob *b = m->blobs, *next; b; b = next) {
		next = b->next;
		vv_buf_release(&b->bytes);
		free(b);
	}
	free(m->base.name);
	free(m);
}

int vv_remote_memory(struct vv_remote **out, struct vv_err *err)
{
	static const struct vv_remote_ops ops = {list, get, put, keep, close_memory};
	struct memory *m = calloc(1, sizeof(*m));

	if (m)
		m->base = (struct vv_remote){&ops, strdup("memory")};
	if (!m || !m->base.name) {
		free(m);
		return vv_fail_nomem(err);
	}
	*out = &m->base;
	return 0;
}
