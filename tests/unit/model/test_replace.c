#include "fixture.h"

static int replace(struct mem_version *into, struct mem_version *from, const char *pattern, const char *second,
	struct vv_buf *out, size_t *n, struct vv_err *err)
{
	const char *const patterns[] = {pattern, second};
	FILE *file = tmpfile();
	int ret = vv_model_replace(
		&into->v, &from->v, patterns, second ? 2 : 1, fileno(file), "model.x", n, NULL, err);

	fd_bytes(fileno(file), out);
	fclose(file);
	return ret;
}

static void check_is(const struct vv_buf *got, const char *metadata, const char *spec)
{
	struct vv_buf want;

	st_file(&want, metadata, spec);
	CHECK(buf_eq(got, &want));
	vv_buf_release(&want);
}

int main(void)
{
	struct vv_pool *pool = vv_pool_new(2);
	struct vv_err err = VV_ERR_INIT;
	struct mem_version into, from, opaque;
	struct vv_buf out, bytes = VV_BUF_INIT(100);
	size_t n = 99;

	mem_st(&into, pool, "\"v\":\"2\"", "l.0.w=1 l.0.b=2 l.1.w=3 head=4");
	mem_st(&from, pool, "\"v\":\"1\"", "l.0.w=10 l.0.b=20 l.0.extra=5 head=40 tail=50");

	CHECK_OK(replace(&into, &from, "l.0.w", NULL, &out, &n, &err), &err);
	CHECK_INT(n, 1);
	check_is(&out, "\"v\":\"2\"", "l.0.w=10 l.0.b=2 l.1.w=3 head=4");
	vv_buf_release(&out);

	/* '*' crosses dots; what only the other version has comes in where it stood there. */
	CHECK_OK(replace(&into, &from, "l.*", "tai[l]", &out, &n, &err), &err);
	CHECK_INT(n, 4);
	check_is(&out, "\"v\":\"2\"", "l.0.w=10 l.0.b=20 l.0.extra=5 l.1.w=3 head=4 tail=50");
	vv_buf_release(&out);

	n = 99;
	CHECK_INT(replace(&into, &from, "l.*", "l.1.*", &out, &n, &err), VV_ENOTFOUND);
	CHECK_STR(err.msg, "no tensor matches \"l.1.*\"");
	CHECK_INT(n, 99);
	vv_buf_release(&out);

	vv_buf_str(&bytes, "no model at all");
	mem_version(&opaque, &bytes, pool);
	CHECK_INT(replace(&opaque, &from, "head", NULL, &out, NULL, &err), VV_ENOTSUP);
	vv_buf_release(&out);
	into.m.format = "unheard-of";
	CHECK_INT(replace(&into, &from, "head", NULL, &out, NULL, &err), VV_ENOTSUP);
	vv_buf_release(&out);
	mem_release(&opaque);
	mem_release(&into);
	mem_release(&from);
	vv_pool_free(pool);
	return done();
}
