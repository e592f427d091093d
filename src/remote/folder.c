/* A folder that has a store: on this machine, or on a disk that many share. */
#include "remote/depot.h"
#include "remote/remote.h"
#include "remote/taking.h"

#include "base/check.h"

#include <stdlib.h>

struct folder {
	struct vv_remote base;
	struct vv_depot depot;
};

static int list(struct vv_remote *r, int (*fn)(void *, const struct vv_id *, uint64_t, struct vv_err *), void *arg,
	struct vv_err *err)
{
	return vv_depot_list(&((struct folder *)r)->depot, fn, arg, err);
}

static int get(struct vv_remote *r, const struct vv_extent *parts, size_t n,
	int (*take)(void *, size_t, uint64_t, struct vv_span, struct vv_err *), void *arg, struct vv_err *err)
{
	int ret = 0;

	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_taking t = {take, arg, i, parts[i].off};
		ret = vv_depot_read(&((struct folder *)r)->depot, &parts[i], vv_take_piece, &t, err);
	}
	return ret;
}

static int send_rest(struct vv_arrival *a, const struct vv_file *f, struct vv_progress *prog, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	uint64_t size = (uint64_t)f->st.st_size;
	uint8_t *buf = malloc(PIECE);
	int ret = buf ? vv_arrival_from(a, vv_min64(a->have, size), err) : vv_fail_nomem(err);

	while (!ret && a->have < size) {
		size_t n = (size_t)vv_min64(PIECE, size - a->have);
		ret = vv_source_read(&f->base, a->have, buf, n, err);
		if (!ret)
			ret = vv_arrival_write(a, vv_span(buf, n), err);
		vv_progress(prog, "Sending", a->have, size);
	}
	free(buf);
	return ret;
}

static int put(
	struct vv_remote *r, const struct vv_id *pack, const char *path, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_depot *d = &((struct folder *)r)->depot;
	struct vv_arrival a = VV_ARRIVAL_INIT;
	struct vv_file f = {.fd = -1};
	int ret = vv_file_open(&f, path, err);

	if (!ret)
		ret = vv_arrival_begin(&a, d, pack, err);
	if (!ret && !a.there)
		ret = send_rest(&a, &f, prog, err);
	if (!ret && !a.there)
		ret = vv_arrival_end(&a, d, err);
	vv_arrival_release(&a);
	if (f.fd >= 0)
		vv_file_close(&f);
	return ret;
}

static int keep(struct vv_remote *r, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	return vv_depot_keep(&((struct folder *)r)->depot, packs, n, err);
}

static void close_folder(struct vv_remote *r)
{
	struct folder *f = (struct folder *)r;

	vv_depot_release(&f->depot);
	free(f->base.name);
	free(f);
}

int vv_remote_folder(struct vv_remote **out, const char *dir, struct vv_err *err)
{
	static const struct vv_remote_ops ops = {list, get, put, keep, close_folder};
	struct folder *f = calloc(1, sizeof(*f));

	if (!f)
		return vv_fail_nomem(err);
	f->base = (struct vv_remote){&ops, strdup(dir)};
	if (vv_depot_init(&f->depot, dir, err) || !f->base.name) {
		close_folder(&f->base);
		return vv_fail_nomem(err);
	}
	*out = &f->base;
	return 0;
}
