#include "model/assembly.h"

#include "fixture.h"

static void test_same_file(struct mem_version *mv)
{
	struct vv_pick picks[] = {{&mv->v, 1, 0}, {&mv->v, 2, 0}};
	struct vv_hash_sink sink;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id id;

	CHECK(vv_can_assemble(&mv->m));
	CHECK_OK(vv_hash_sink_init(&sink, &err), &err);
	CHECK_OK(vv_assemble_picks(&mv->v, picks, 2, &sink.base, &err), &err);
	vv_sha256_final(&sink.sha, &id);
	CHECK(vv_id_eq(&id, &mv->m.sha256));
	vv_sha256_release(&sink.sha);
}

struct count {
	struct vv_progress base;
	uint64_t done, total;
};

static void step(struct vv_progress *self, const char *what VV_UNUSED, uint64_t done, uint64_t total)
{
	struct count *c = (struct count *)self;

	c->done = done;
	c->total = total;
}

static void test_fd(struct mem_version *mv)
{
	struct vv_pick pick = {&mv->v, 2, 0};
	struct count c = {{step}, 0, 0};
	struct vv_fd_sink sink;
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf out, want;
	FILE *f = tmpfile();

	vv_fd_sink_init(&sink, fileno(f), "out", 1, &c.base);
	CHECK_OK(vv_assemble_picks(&mv->v, &pick, 1, &sink.base, &err), &err);
	fd_bytes(fileno(f), &out);
	st_file(&want, NULL, "b=2");
	CHECK(buf_eq(&out, &want));
	CHECK_INT(sink.len, want.len);
	CHECK(c.done == want.len && c.total == want.len);
	vv_buf_release(&out);
	vv_buf_release(&want);
	vv_fd_sink_init(&sink, -1, "out", 1, NULL);
	CHECK_INT(vv_assemble_picks(&mv->v, &pick, 1, &sink.base, &err), VV_EIO);
	fclose(f);
}

int main(void)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct mem_version mv;

	mem_st(&mv, pool, NULL, "a=1 b=2");
	test_same_file(&mv);
	test_fd(&mv);
	mem_release(&mv);
	vv_pool_free(pool);
	return done();
}
