/* A real store in a folder of its own, and ways to damage it. */
#ifndef VV_TESTS_STORE_FIXTURE_H
#define VV_TESTS_STORE_FIXTURE_H

#include "base/le.h"
#include "os/child.h"
#include "store/internal.h"
#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
	char root[64], dir[96];
	struct vv_pool *pool;
	struct vv_store *store;
	struct vv_err err;
};

static inline void fx_open(struct fixture *f)
{
	vv_store_free(f->store);
	f->store = NULL;
	if (vv_store_open(&f->store, f->dir, VV_STORE_CREATE, f->pool, &f->err)) {
		printf("Bail out! %s\n", f->err.msg);
		exit(1);
	}
}

static inline void fx_init(struct fixture *f)
{
	*f = (struct fixture){.err = VV_ERR_INIT};
	strcpy(f->root, "/tmp/varve-test-XXXXXX");
	if (!mkdtemp(f->root))
		exit(1);
	snprintf(f->dir, sizeof(f->dir), "%s/varve", f->root);
	f->pool = vv_pool_new(2);
	fx_open(f);
}

static inline void fx_release(struct fixture *f)
{
	const char *argv[] = {"rm", "-rf", f->root, NULL};
	int status;

	vv_store_free(f->store);
	vv_pool_free(f->pool);
	if (vv_child_run(argv, NULL, 0, vv_span(NULL, 0), NULL, &status, &f->err))
		printf("# %s\n", f->err.msg);
}

/* --- data --- */

static inline uint64_t rnd(uint64_t *s)
{
	uint64_t z = *s += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* Numbers of `width` bytes like trained weights: small exponents, noisy low bits. */
static inline void fill_weights(uint8_t *p, size_t len, unsigned width, uint64_t seed)
{
	for (size_t i = 0; i + width <= len; i += width) {
		uint64_t r = rnd(&seed);
		float v = ((float)(r & 0xffff) + (float)(r >> 16 & 0xffff) - 65536.0f) / 1e6f;
		double d = (double)v;
		uint32_t u;
		memcpy(&u, &v, 4);
		if (width == 8)
			memcpy(p + i, &d, 8);
		else if (width == 4)
			memcpy(p + i, &u, 4);
		else
			memcpy(p + i, (uint8_t *)&u + 2, width < 2 ? width : 2);
	}
}

/* A later version: one number in `each` moves a little. */
static inline void nudge(uint8_t *p, size_t len, unsigned width, uint64_t seed, unsigned each)
{
	for (size_t i = 0; i + width <= len; i += width)
		if (!(rnd(&seed) % each))
			p[i] = (uint8_t)(p[i] + 1);
}

static inline void fill_noise(uint8_t *p, size_t len, uint64_t seed)
{
	for (size_t i = 0; i < len; i++)
		p[i] = (uint8_t)rnd(&seed);
}

/* --- put and get --- */

static inline int try_put(struct vv_store *s, const void *p, size_t len, enum vv_dtype dt, const struct vv_id *base,
	struct vv_put_item *item, struct vv_err *err)
{
	struct vv_source_mem src;

	*item = (struct vv_put_item){.len = len, .dtype = dt, .has_base = base != NULL};
	if (base)
		item->base = *base;
	vv_source_mem_init(&src, vv_span(p, len));
	return vv_store_put(s, &src.base, item, 1, NULL, NULL, NULL, err);
}

static inline struct vv_id put(struct fixture *f, const void *p, size_t len, enum vv_dtype dt, const struct vv_id *base)
{
	struct vv_put_item item;

	if (try_put(f->store, p, len, dt, base, &item, &f->err))
		printf("# put: %s\n", f->err.msg);
	return item.id;
}

/* 0 and the right bytes, or a code; wrong bytes with 0 are 1. */
static inline int get(struct vv_store *s, const struct vv_id *id, const void *want, size_t len, struct vv_err *err)
{
	struct vv_get_item item = {*id, len, 0};
	uint8_t *have = calloc(1, len + 1);
	FILE *tmp = tmpfile();
	int ret = vv_store_get_fd(s, &item, 1, fileno(tmp), "a file", NULL, err);

	if (!ret && (pread(fileno(tmp), have, len, 0) != (ssize_t)len || (len && memcmp(have, want, len))))
		ret = 1;
	fclose(tmp);
	free(have);
	return ret;
}

static inline struct vv_object_info info_of(struct vv_store *s, const struct vv_id *id)
{
	struct vv_object_info info = {0};
	struct vv_err err = VV_ERR_INIT;

	if (vv_store_find(s, id, &info, &err))
		printf("# %s\n", err.msg);
	return info;
}

/* --- files --- */

struct names {
	char name[1200][80];
	size_t n;
};

static inline int fx_name(void *arg, const char *name, struct vv_err *err VV_UNUSED)
{
	struct names *n = arg;

	if (n->n < VV_COUNT(n->name))
		snprintf(n->name[n->n++], sizeof(n->name[0]), "%.79s", name);
	return 0;
}

static inline size_t count_names(const struct fixture *f, const char *sub, struct names *out)
{
	static struct names scratch;
	struct names *n = out ? out : &scratch;
	struct vv_err err = VV_ERR_INIT;
	char *dir = vv_join(f->dir, sub);

	n->n = 0;
	if (vv_each_name(dir, fx_name, n, &err))
		printf("# %s\n", err.msg);
	free(dir);
	return n->n;
}

/* All packs in the trash, whatever the generation. */
static inline size_t count_trash(const struct fixture *f)
{
	struct names *gens = calloc(1, sizeof(*gens));
	size_t n = 0;

	count_names(f, "trash", gens);
	for (size_t i = 0; i < gens->n; i++) {
		char sub[128];
		snprintf(sub, sizeof(sub), "trash/%s", gens->name[i]);
		n += count_names(f, sub, NULL);
	}
	free(gens);
	return n;
}

/* The path of a pack that holds the object. */
static inline const char *pack_of(struct fixture *f, const struct vv_id *id)
{
	struct vv_store *where;
	struct pack *p;
	struct entry e;

	return store_locate(f->store, id, ANY_DEPTH, &where, &p, &e, &f->err) ? "" : p->path;
}

static inline struct entry entry_of(struct fixture *f, const struct vv_id *id)
{
	struct vv_store *where;
	struct pack *p;
	struct entry e = {0};

	CHECK_OK(store_locate(f->store, id, ANY_DEPTH, &where, &p, &e, &f->err), &f->err);
	return e;
}

/* Changes one byte of a file in place, whatever its mode. */
static inline void flip(const char *path, uint64_t off, uint8_t with)
{
	uint8_t b = 0;
	int fd;

	chmod(path, 0644);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || pread(fd, &b, 1, (off_t)off) != 1)
		printf("# cannot flip %s\n", path);
	b ^= with;
	if (pwrite(fd, &b, 1, (off_t)off) != 1)
		printf("# cannot flip %s\n", path);
	close(fd);
}

/* Makes a file look `seconds` older (negative: of the future). */
static inline void age(const char *path, long seconds)
{
	struct stat st;
	struct timespec t[2];

	if (stat(path, &st))
		printf("# cannot age %s\n", path);
	t[0] = t[1] = st.st_mtim;
	t[0].tv_sec = t[1].tv_sec -= seconds;
	if (utimensat(AT_FDCWD, path, t, 0))
		printf("# cannot age %s\n", path);
}

static inline void age_all(const struct fixture *f, const char *sub, long seconds)
{
	struct names *n = calloc(1, sizeof(*n));

	count_names(f, sub, n);
	for (size_t i = 0; i < n->n; i++) {
		char path[400];
		snprintf(path, sizeof(path), "%s/%s/%s", f->dir, sub, n->name[i]);
		age(path, seconds);
	}
	free(n);
}

#endif
