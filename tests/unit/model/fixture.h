/* Real model files, a real store in a folder of its own. */
#ifndef VV_TESTS_MODEL_FIXTURE_H
#define VV_TESTS_MODEL_FIXTURE_H

#include "model/model.h"
#include "os/child.h"
#include "os/file.h"
#include "tap.h"

#include <stdarg.h>
#include <unistd.h>

/* --- a safetensors file in the making --- */

struct st {
	struct vv_buf head, data;
};

static inline void st_init(struct st *s, const char *metadata)
{
	vv_buf_init(&s->head, VV_MAX_TEXT);
	vv_buf_init(&s->data, VV_MAX_MANIFEST);
	vv_buf_char(&s->head, '{');
	if (metadata)
		vv_buf_fmt(&s->head, "\"__metadata__\":{%s},", metadata);
}

/* `dtype` and `shape` as in the header: "F32", "[2,3]". */
static inline void st_add(
	struct st *s, const char *name, const char *dtype, const char *shape, const void *data, size_t len)
{
	vv_buf_fmt(&s->head, "\"%s\":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]},", name, dtype,
		shape, s->data.len, s->data.len + len);
	vv_buf_add(&s->data, data, len);
}

/* f32 of shape [4]: x, x, x, x. */
static inline void st_f32(struct st *s, const char *name, float x)
{
	float v[4] = {x, x, x, x};

	st_add(s, name, "F32", "[4]", v, sizeof(v));
}

/* The file, in `out`. Frees what was made. */
static inline void st_done(struct st *s, struct vv_buf *out)
{
	if (s->head.ptr[s->head.len - 1] == ',')
		s->head.len--;
	vv_buf_char(&s->head, '}');
	while (s->head.len % 8)
		vv_buf_char(&s->head, ' ');
	vv_buf_init(out, VV_MAX_MANIFEST);
	vv_buf_le(out, s->head.len, 8);
	vv_buf_span(out, vv_buf_view(&s->head));
	vv_buf_span(out, vv_buf_view(&s->data));
	vv_buf_release(&s->head);
	vv_buf_release(&s->data);
}

/* "a=1 b=2": a safetensors file of those f32 tensors. */
static inline void st_file(struct vv_buf *out, const char *metadata, const char *spec)
{
	struct st s;
	char name[64];
	float x;
	int n;

	st_init(&s, metadata);
	while (sscanf(spec, " %63[^=]=%f%n", name, &x, &n) == 2) {
		st_f32(&s, name, x);
		spec += n;
	}
	st_done(&s, out);
}

/* --- a version in memory: hashed, not stored --- */

struct mem_version {
	struct vv_buf bytes, text;
	struct vv_source_mem src;
	struct vv_manifest m;
	struct vv_version v;
};

/* Takes the bytes. */
static inline void mem_version(struct mem_version *mv, struct vv_buf *bytes, struct vv_pool *pool)
{
	struct vv_err err = VV_ERR_INIT;

	mv->bytes = *bytes;
	*bytes = (struct vv_buf)VV_BUF_INIT(0);
	mv->m = (struct vv_manifest){0};
	vv_buf_init(&mv->text, VV_MAX_MANIFEST);
	vv_source_mem_init(&mv->src, vv_buf_view(&mv->bytes));
	CHECK_OK(vv_model_hash(pool, &mv->src.base, &mv->text, &mv->m, NULL, &err), &err);
	mv->v = (struct vv_version){&mv->m, &mv->src.base};
}

static inline void mem_st(struct mem_version *mv, struct vv_pool *pool, const char *metadata, const char *spec)
{
	struct vv_buf b;

	st_file(&b, metadata, spec);
	mem_version(mv, &b, pool);
}

static inline void mem_release(struct mem_version *mv)
{
	vv_manifest_release(&mv->m);
	vv_buf_release(&mv->bytes);
	vv_buf_release(&mv->text);
}

/* --- a folder with a store --- */

struct fixture {
	char dir[64];
	struct vv_pool *pool;
	struct vv_store *store;
};

static inline void fixture_init(struct fixture *f)
{
	struct vv_err err = VV_ERR_INIT;
	char *path;

	snprintf(f->dir, sizeof(f->dir), "%s", "model-test-XXXXXX");
	CHECK(mkdtemp(f->dir) != NULL);
	f->pool = vv_pool_new(2);
	path = vv_join(f->dir, "varve");
	CHECK_OK(vv_store_open(&f->store, path, VV_STORE_CREATE, f->pool, &err), &err);
	free(path);
}

static inline void fixture_release(struct fixture *f)
{
	struct vv_err err = VV_ERR_INIT;
	int status = 0;

	vv_store_free(f->store);
	vv_pool_free(f->pool);
	CHECK_OK(vv_child_run((const char *const[]){"rm", "-rf", f->dir, NULL}, NULL, 0, vv_span("", 0), NULL,
			 &status, &err),
		&err);
}

/* What is in an open file, from its start. */
static inline void fd_bytes(int fd, struct vv_buf *out)
{
	struct vv_err err = VV_ERR_INIT;

	vv_buf_init(out, VV_MAX_MANIFEST);
	CHECK_INT(lseek(fd, 0, SEEK_SET), 0);
	CHECK_OK(vv_read_fd(out, fd, "file", &err), &err);
}

static inline bool buf_eq(const struct vv_buf *a, const struct vv_buf *b)
{
	return vv_span_eq(vv_buf_view(a), vv_buf_view(b));
}

#endif
