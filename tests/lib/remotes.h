/* What every remote must do, tried on one that is empty. */
#ifndef VV_TESTS_REMOTES_H
#define VV_TESTS_REMOTES_H

#include "hash/sha256.h"
#include "remote/remote.h"
#include "tap.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* A folder with a store that has some packs of `kib` KiB of noise each. */
struct packs {
	char root[64];
	struct vv_pool *pool;
	struct vv_store *store;
	struct vv_id ids[8];     /* objects, one a pack */
	struct vv_pack_info at[8];
	char paths[8][256];
	size_t n;
};

static int packs_note(void *arg, const struct vv_pack_info *info, struct vv_err *err)
{
	struct packs *p = arg;

	(void)err;
	p->at[p->n] = *info;
	snprintf(p->paths[p->n++], sizeof(p->paths[0]), "%s", info->path);
	return 0;
}

static inline void packs_init(struct packs *p, size_t n, size_t kib)
{
	struct vv_err err = VV_ERR_INIT;
	char dir[80];
	uint64_t seed = 88172645463325252u + kib;

	*p = (struct packs){.n = 0};
	strcpy(p->root, "/tmp/varve-test-XXXXXX");
	if (!mkdtemp(p->root))
		exit(1);
	snprintf(dir, sizeof(dir), "%s/store", p->root);
	p->pool = vv_pool_new(2);
	CHECK_OK(vv_store_open(&p->store, dir, VV_STORE_CREATE, p->pool, &err), &err);
	for (size_t i = 0; i < n; i++) {
		struct vv_put_item item = {.len = kib << 10, .dtype = VV_DT_U8};
		struct vv_put_stats st;
		struct vv_source_mem mem;
		uint8_t *bytes = malloc(kib << 10);
		for (size_t k = 0; k < kib << 10; k++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			bytes[k] = (uint8_t)seed;
		}
		vv_source_mem_init(&mem, vv_span(bytes, kib << 10));
		CHECK_OK(vv_store_put(p->store, &mem.base, &item, 1, NULL, &st, NULL, &err), &err);
		p->ids[i] = item.id;
		free(bytes);
	}
	CHECK_OK(vv_store_each_pack(p->store, packs_note, p, &err), &err);
	CHECK_INT(p->n, n);
}

static inline void packs_release(struct packs *p)
{
	char cmd[100];

	vv_store_free(p->store);
	vv_pool_free(p->pool);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", p->root);
	if (system(cmd))
		printf("# %s stays\n", p->root);
}

struct seen {
	struct packs *p;
	size_t known, unknown;
	int stop;
};

static int remote_seen(void *arg, const struct vv_id *pack, uint64_t size, struct vv_err *err)
{
	struct seen *s = arg;
	bool known = false;

	for (size_t i = 0; i < s->p->n; i++)
		known |= vv_id_eq(&s->p->at[i].name, pack) && s->p->at[i].size == size;
	s->known += known;
	s->unknown += !known;
	return s->stop ? vv_fail(err, VV_ECONFLICT, "stopped") : 0;
}

static inline size_t remote_list(struct vv_remote *r, struct packs *p)
{
	struct vv_err err = VV_ERR_INIT;
	struct seen s = {p, 0, 0, 0};

	CHECK_OK(r->ops->list(r, remote_seen, &s, &err), &err);
	CHECK_INT(s.unknown, 0);
	return s.known;
}

struct got {
	const struct vv_extent *parts;
	struct packs *p;
	uint64_t next[16];
	size_t wrong;
	int stop;
};

/* In order within each part, and what the file has. */
static int remote_take(void *arg, size_t i, uint64_t off, struct vv_span bytes, struct vv_err *err)
{
	struct got *g = arg;
	uint8_t *want = malloc(bytes.len + 1);

	g->wrong += off != g->parts[i].off + g->next[i];
	g->next[i] += bytes.len;
	for (size_t k = 0; k < g->p->n; k++)
		if (vv_id_eq(&g->p->at[k].name, &g->parts[i].pack)) {
			int fd = open(g->p->paths[k], O_RDONLY);
			g->wrong += pread(fd, want, bytes.len, (off_t)off) != (ssize_t)bytes.len || memcmp(want, bytes.ptr, bytes.len);
			close(fd);
		}
	free(want);
	return g->stop ? vv_fail(err, VV_ECONFLICT, "stopped") : 0;
}

/* `open` gives the remote again after an error that may have ended it. */
static inline void remote_conforms(struct vv_remote *(*open_remote)(void *arg), void *arg)
{
	struct vv_remote *r = open_remote(arg);
	struct vv_err err = VV_ERR_INIT;
	struct packs p;
	struct vv_id strange = {{1, 2, 3}};
	struct vv_extent parts[4];
	struct got g;

	packs_init(&p, 3, 300);
	CHECK(r->name && r->name[0]);
	CHECK_INT(remote_list(r, &p), 0);
	CHECK_INT(r->ops->keep(r, &p.at[0].name, 1, &err), VV_ENOTFOUND);
	CHECK_OK(r->ops->keep(r, NULL, 0, &err), &err);
	for (size_t i = 0; i < 2; i++)
		CHECK_OK(r->ops->put(r, &p.at[i].name, p.paths[i], NULL, &err), &err);
	CHECK_INT(remote_list(r, &p), 2);
	/* Once more is no error. */
	CHECK_OK(r->ops->put(r, &p.at[0].name, p.paths[0], NULL, &err), &err);
	CHECK_INT(remote_list(r, &p), 2);
	CHECK_OK(r->ops->keep(r, &p.at[1].name, 1, &err), &err);

	parts[0] = (struct vv_extent){p.at[1].name, 0, p.at[1].size};
	parts[1] = (struct vv_extent){p.at[0].name, 100, 200000};
	parts[2] = (struct vv_extent){p.at[0].name, p.at[0].size, 0};
	parts[3] = (struct vv_extent){p.at[0].name, p.at[0].size - 1, 1};
	g = (struct got){.parts = parts, .p = &p};
	CHECK_OK(r->ops->get(r, parts, 4, remote_take, &g, &err), &err);
	CHECK_INT(g.wrong, 0);
	for (int i = 0; i < 4; i++)
		CHECK_INT(g.next[i], parts[i].len);
	CHECK_OK(r->ops->get(r, parts, 0, remote_take, &g, &err), &err);

	/* What is not there, what lies past the end, bytes that are another pack's: told, and nothing is kept. */
	parts[0] = (struct vv_extent){p.at[2].name, 0, 10};
	CHECK_INT(r->ops->get(r, parts, 1, remote_take, &g, &err), VV_ENOTFOUND);
	CHECK(strlen(err.msg) > 10 && !strchr(err.msg, '\n'));
	vv_err_clear(&err);
	parts[0] = (struct vv_extent){p.at[0].name, p.at[0].size - 5, 10};
	CHECK(r->ops->get(r, parts, 1, remote_take, &g, &err) != 0);
	vv_err_clear(&err);
	/* One of several that is refused: what comes next is answered for itself. */
	for (size_t i = 0; i < 3; i++) {
		struct vv_id some[3] = {p.at[0].name, p.at[1].name, p.at[0].name};
		some[i] = strange;
		CHECK_INT(r->ops->keep(r, some, 3, &err), VV_ENOTFOUND);
		vv_err_clear(&err);
		parts[0] = (struct vv_extent){some[i == 0], 5, 10};
		parts[1] = (struct vv_extent){i == 1 ? strange : some[i == 0], 5, 10};
		parts[2] = (struct vv_extent){i == 1 ? some[0] : strange, 0, 4};
		g = (struct got){.parts = parts, .p = &p};
		CHECK_INT(r->ops->get(r, parts, 3, remote_take, &g, &err), VV_ENOTFOUND);
		vv_err_clear(&err);
		CHECK_INT(remote_list(r, &p), 2);
		CHECK_OK(r->ops->keep(r, &p.at[1].name, 1, &err), &err);
	}
	CHECK_INT(r->ops->put(r, &strange, p.paths[2], NULL, &err), VV_ECORRUPT);
	vv_err_clear(&err);
	CHECK_INT(remote_list(r, &p), 2);
	CHECK(r->ops->put(r, &p.at[2].name, "/nonexistent/pack", NULL, &err) != 0);
	vv_err_clear(&err);
	CHECK_INT(remote_list(r, &p), 2);
	CHECK_OK(r->ops->put(r, &p.at[2].name, p.paths[2], NULL, &err), &err);
	CHECK_INT(remote_list(r, &p), 3);
	vv_remote_close(r);

	/* Who takes may stop it; the remote is only closed then. */
	r = open_remote(arg);
	if (r) {
		struct seen s = {&p, 0, 0, 1};
		CHECK_INT(r->ops->list(r, remote_seen, &s, &err), VV_ECONFLICT);
		vv_err_clear(&err);
		vv_remote_close(r);
		r = open_remote(arg);
		parts[0] = (struct vv_extent){p.at[0].name, 0, p.at[0].size};
		g = (struct got){.parts = parts, .p = &p, .stop = 1};
		CHECK_INT(r->ops->get(r, parts, 1, remote_take, &g, &err), VV_ECONFLICT);
		vv_remote_close(r);
	}
	packs_release(&p);
}

#endif
