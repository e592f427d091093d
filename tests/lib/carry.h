/* Two stores and a remote between them: versions of a tensor, each a delta to the one before. */
#ifndef VV_TESTS_CARRY_H
#define VV_TESTS_CARRY_H

#include "remote/mirror.h"
#include "tap.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CARRY_LEN = 400000, CARRY_MAX = 24 };

struct carry {
	char root[64], dir[2][96];
	struct vv_pool *pool;
	struct vv_store *a, *b; /* b: the other side */
	struct vv_remote *remote;
	struct vv_id ids[CARRY_MAX];
	size_t n;
	uint8_t bytes[CARRY_LEN];
	uint64_t seed;
	struct vv_err err;
};

static inline uint64_t carry_rnd(struct carry *c)
{
	c->seed ^= c->seed << 13;
	c->seed ^= c->seed >> 7;
	return c->seed ^= c->seed << 17;
}

static inline void carry_open(struct carry *c, int i)
{
	struct vv_store **s = i ? &c->b : &c->a;

	vv_store_free(*s);
	*s = NULL;
	CHECK_OK(vv_store_open(s, c->dir[i], VV_STORE_CREATE, c->pool, &c->err), &c->err);
}

static inline void carry_init(struct carry *c)
{
	memset(c, 0, sizeof(*c));
	c->seed = 88172645463325252u;
	strcpy(c->root, "/tmp/varve-test-XXXXXX");
	if (!mkdtemp(c->root))
		exit(1);
	c->pool = vv_pool_new(2);
	for (int i = 0; i < 2; i++) {
		snprintf(c->dir[i], sizeof(c->dir[i]), "%s/%c", c->root, 'a' + i);
		carry_open(c, i);
	}
	CHECK_OK(vv_remote_memory(&c->remote, &c->err), &c->err);
	for (size_t i = 0; i < CARRY_LEN; i++)
		c->bytes[i] = i % 4 == 3 ? 0x3c : (uint8_t)carry_rnd(c);
}

static inline void carry_release(struct carry *c)
{
	char cmd[100];

	vv_remote_close(c->remote);
	vv_store_free(c->a);
	vv_store_free(c->b);
	vv_pool_free(c->pool);
	snprintf(cmd, sizeof(cmd), "rm -rf %s", c->root);
	if (system(cmd))
		printf("# %s stays\n", c->root);
}

/* Puts `len` bytes into a store; against `base` when that is not NULL. */
static inline struct vv_id carry_put(struct carry *c, struct vv_store *s, const uint8_t *bytes, size_t len,
	enum vv_dtype dtype, const struct vv_id *base)
{
	struct vv_put_item item = {.len = len, .dtype = dtype, .has_base = base != NULL};
	struct vv_source_mem mem;
	struct vv_put_stats st;

	if (base)
		item.base = *base;
	vv_source_mem_init(&mem, vv_span(bytes, len));
	CHECK_OK(vv_store_put(s, &mem.base, &item, 1, NULL, &st, NULL, &c->err), &c->err);
	return item.id;
}

/* A next version, here. */
static inline void carry_version(struct carry *c)
{
	for (size_t i = 0; i < CARRY_LEN; i += 4)
		if (carry_rnd(c) % 4 == 0)
			c->bytes[i] ^= (uint8_t)(carry_rnd(c) % 4);
	c->ids[c->n] = carry_put(c, c->a, c->bytes, CARRY_LEN, VV_DT_F32, c->n ? &c->ids[c->n - 1] : NULL);
	c->n++;
}

static inline int carry_push(struct carry *c, const struct vv_id *ids, size_t n, struct vv_transfer *t)
{
	struct vv_mirror *m = NULL;
	int ret;

	vv_err_clear(&c->err);
	ret = vv_mirror_open(&m, c->remote, c->a, c->pool, true, &c->err);
	if (!ret)
		ret = vv_mirror_push(m, ids, n, t, NULL, &c->err);
	vv_mirror_close(m);
	return ret;
}

static inline int carry_fetch(struct carry *c, const struct vv_id *ids, size_t n, struct vv_transfer *t)
{
	struct vv_mirror *m = NULL;
	int ret;

	vv_err_clear(&c->err);
	ret = vv_mirror_open(&m, c->remote, c->b, c->pool, true, &c->err);
	if (!ret)
		ret = vv_mirror_fetch(m, ids, n, t, NULL, &c->err);
	vv_mirror_close(m);
	return ret;
}

/* How many of them the store has, each verified. */
static inline size_t carry_count(struct carry *c, struct vv_store *s, const struct vv_id *ids, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		struct vv_object_info info;
		struct vv_get_item item = {.id = ids[i]};
		struct vv_err err = VV_ERR_INIT;
		if (vv_store_find(s, &ids[i], &info, &err))
			continue;
		item.len = info.size;
		CHECK_OK(vv_store_verify(s, &item, 1, NULL, &err), &err);
		k++;
	}
	(void)c;
	return k;
}

#endif
