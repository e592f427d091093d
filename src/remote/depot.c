#define _GNU_SOURCE
#include "remote/depot.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { PIECE = 256 << 10, WAIT_TENTHS = 300 };

int vv_depot_init(struct vv_depot *d, const char *dir, struct vv_err *err)
{
	*d = (struct vv_depot){strdup(dir), NULL};
	return d->dir ? 0 : vv_fail_nomem(err);
}

void vv_depot_release(struct vv_depot *d)
{
	vv_store_free(d->store);
	free(d->dir);
	*d = (struct vv_depot){NULL, NULL};
}

/* Up to date. Without `create`, a store that is not there stays NULL. */
static int open_store(struct vv_depot *d, bool create, struct vv_err *err)
{
	int ret;

	if (d->store)
		return vv_store_refresh(d->store, err);
	ret = create ? vv_mkdirs(d->dir, err) : 0;
	if (!ret)
		ret = vv_store_open(&d->store, d->dir, create ? VV_STORE_CREATE : 0, NULL, err);
	if (ret != VV_ENOTFOUND || create)
		return ret;
	vv_err_clear(err);
	return 0;
}

struct listing {
	int (*fn)(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err);
	void *arg;
};

static int list_one(void *arg, const struct vv_pack_info *p, struct vv_err *err)
{
	const struct listing *l = arg;

	return l->fn(l->arg, &p->name, p->size, err);
}

int vv_depot_list(
	struct vv_depot *d, int (*fn)(void *, const struct vv_id *, uint64_t, struct vv_err *), void *arg, struct vv_err *err)
{
	struct listing l = {fn, arg};
	int ret = open_store(d, false, err);

	return ret || !d->store ? ret : vv_store_each_pack(d->store, list_one, &l, err);
}

static char *path_of(const struct vv_depot *d, const char *sub, const struct vv_id *pack, const char *ending)
{
	char hex[VV_ID_HEX + 1], *path;

	return asprintf(&path, "%s/%s/%s%s", d->dir, sub, vv_id_hex(pack, hex), ending) < 0 ? NULL : path;
}

int vv_depot_read(struct vv_depot *d, const struct vv_extent *part, int (*take)(void *, struct vv_span, struct vv_err *),
	void *arg, struct vv_err *err)
{
	char *path = path_of(d, "packs", &part->pack, ".pack");
	uint8_t *buf = malloc(PIECE);
	struct vv_file f = {.fd = -1};
	uint64_t size;
	int ret = path && buf ? vv_file_open(&f, path, err) : vv_fail_nomem(err);

	if (!ret) {
		size = (uint64_t)f.st.st_size;
		if (part->off > size || part->len > size - part->off)
			ret = vv_fail(err, VV_EUSAGE, "%s: has no %" PRIu64 " bytes at offset %" PRIu64, path, part->len, part->off);
	}
	for (uint64_t at = 0; !ret && at < part->len;) {
		size_t n = (size_t)vv_min64(PIECE, part->len - at);
		ret = vv_source_read(&f.base, part->off + at, buf, n, err);
		if (!ret)
			ret = take(arg, vv_span(buf, n), err);
		at += n;
	}
	if (f.fd >= 0)
		vv_file_close(&f);
	free(path);
	free(buf);
	return ret;
}

int vv_depot_keep(struct vv_depot *d, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	int ret = n ? open_store(d, false, err) : 0;

	if (!ret && n && !d->store)
		ret = vv_fail(err, VV_ENOTFOUND, "%s: no varve store", d->dir);
	return ret || !n ? ret : vv_store_keep_packs(d->store, packs, n, err);
}

/* --- arrivals --- */

static int is_there(void *arg, const struct vv_id *pack, uint64_t size VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	struct vv_arrival *a = arg;

	a->there |= vv_id_eq(pack, &a->pack);
	return 0;
}

/* Who holds it may be at the end of a connection that is dead. */
static int lock_arrival(const struct vv_arrival *a, struct vv_err *err)
{
	for (int i = 0; flock(a->fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return vv_fail_sys(err, errno, "%s", a->path);
		if (i == WAIT_TENTHS)
			return vv_fail(err, VV_ELOCKED, "somebody else is sending this pack: try again later");
		usleep(100000);
	}
	return 0;
}

int vv_arrival_begin(struct vv_arrival *a, struct vv_depot *d, const struct vv_id *pack, struct vv_err *err)
{
	char *dir = vv_join(d->dir, "incoming");
	struct stat st, now;
	int ret = open_store(d, true, err);

	*a = (struct vv_arrival){.pack = *pack, .fd = -1, .path = path_of(d, "incoming", pack, "")};
	if (!ret && (!dir || !a->path))
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_mkdirs(dir, err);
	/* Whoever had it before us may have finished it, and the name is gone: look again. */
	do {
		if (a->fd >= 0)
			close(a->fd);
		a->fd = ret ? -1 : open(a->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
		if (!ret && a->fd < 0)
			ret = vv_fail_sys(err, errno, "%s", a->path);
		if (!ret)
			ret = lock_arrival(a, err);
		if (!ret && fstat(a->fd, &st))
			ret = vv_fail_sys(err, errno, "%s", a->path);
	} while (!ret && (lstat(a->path, &now) || now.st_ino != st.st_ino));
	if (!ret) {
		a->have = (uint64_t)st.st_size;
		ret = vv_depot_list(d, is_there, a, err);
	}
	if (!ret && a->there)
		unlink(a->path);
	free(dir);
	return ret;
}

int vv_arrival_from(struct vv_arrival *a, uint64_t have, struct vv_err *err)
{
	if (have > a->have)
		return vv_fail(err, VV_EUSAGE, "%s: only %" PRIu64 " bytes are here", a->path, a->have);
	a->have = have;
	return ftruncate(a->fd, (off_t)have) ? vv_fail_sys(err, errno, "%s", a->path) : 0;
}

int vv_arrival_write(struct vv_arrival *a, struct vv_span bytes, struct vv_err *err)
{
	int ret = vv_pwrite_fd(a->fd, bytes, a->have, a->path, err);

	if (!ret)
		a->have += bytes.len;
	return ret;
}

int vv_arrival_end(struct vv_arrival *a, struct vv_depot *d, struct vv_err *err)
{
	return vv_store_adopt(d->store, a->path, &a->pack, err);
}

void vv_arrival_release(struct vv_arrival *a)
{
	if (a->fd >= 0)
		close(a->fd);
	free(a->path);
	*a = (struct vv_arrival)VV_ARRIVAL_INIT;
}
