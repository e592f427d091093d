#include "model/merge.h"

#include "fixture.h"

struct three {
	struct vv_pool *pool;
	struct mem_version base, ours, theirs;
	bool no_base;
	struct vv_merge m;
};

static void plan(struct three *t)
{
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_merge_plan(&t->m, t->no_base ? NULL : &t->base.v, &t->ours.v, &t->theirs.v, &err), &err);
}

/* Metadata and tensors of each side; base NULL: none. */
static void make(struct three *t, const char *base_meta, const char *base, const char *ours_meta,
	const char *ours, const char *theirs_meta, const char *theirs)
{
	*t = (struct three){.pool = vv_pool_new(2), .no_base = !base};
	mem_st(&t->base, t->pool, base_meta, base ? base : "");
	mem_st(&t->ours, t->pool, ours_meta, ours);
	mem_st(&t->theirs, t->pool, theirs_meta, theirs);
	plan(t);
}

static void drop(struct three *t)
{
	vv_merge_release(&t->m);
	mem_release(&t->base);
	mem_release(&t->ours);
	mem_release(&t->theirs);
	vv_pool_free(t->pool);
}

static void check_written(struct three *t, const char *metadata, const char *spec)
{
	FILE *f = tmpfile();
	struct vv_buf got, want;
	struct vv_err err = VV_ERR_INIT;

	CHECK_INT(t->m.result, VV_MERGE_ASSEMBLED);
	CHECK_OK(vv_merge_write(&t->m, fileno(f), "model.x", NULL, &err), &err);
	fd_bytes(fileno(f), &got);
	st_file(&want, metadata, spec);
	CHECK(buf_eq(&got, &want));
	if (!buf_eq(&got, &want))
		printf("# %.*s\n# %.*s\n", (int)got.len - 8, got.ptr + 8, (int)want.len - 8, want.ptr + 8);
	vv_buf_release(&got);
	vv_buf_release(&want);
	fclose(f);
}

static enum vv_merge_reason reason(const struct three *t, const char *name)
{
	for (size_t i = 0; i < t->m.n; i++)
		if (!strcmp(t->m.items[i].name, name))
			return t->m.items[i].reason;
	return (enum vv_merge_reason)-1;
}

static void test_verbatim(void)
{
	struct three t;

	make(&t, NULL, "a=1", NULL, "a=1", NULL, "a=2");
	CHECK_INT(t.m.result, VV_MERGE_IS_THEIRS);
	drop(&t);
	make(&t, NULL, "a=1", NULL, "a=2", NULL, "a=1");
	CHECK_INT(t.m.result, VV_MERGE_IS_OURS);
	drop(&t);
	make(&t, NULL, "a=1", NULL, "a=2", NULL, "a=2");
	CHECK_INT(t.m.result, VV_MERGE_IS_OURS);
	drop(&t);
	make(&t, NULL, NULL, NULL, "a=2", NULL, "a=2");
	CHECK_INT(t.m.result, VV_MERGE_IS_OURS);
	CHECK_INT(t.m.n_conflicts, 0);
	drop(&t);
}

static void test_clean(void)
{
	struct three t;

	/* Changed, added and removed on either side, and some alike on both. */
	make(&t, NULL, "a=1 b=2 c=3 d=4 e=5 f=6", NULL, "a=10 b=2 d=4 e=50 new=7", NULL,
		"a=1 b=20 c=3 e=50 f=6 their=8");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, NULL, "a=10 b=20 e=50 their=8 new=7");
	drop(&t);
	make(&t, NULL, NULL, NULL, "a=1 b=2", NULL, "a=1 c=3");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, NULL, "a=1 c=3 b=2");
	drop(&t);
}

static void test_conflicts(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct three t;
	size_t n = 0;

	make(&t, NULL, "both=1 rc=2 cr=3 ok=4", NULL, "both=10 cr=30 ok=4 add=1", NULL, "both=11 rc=20 ok=5 add=2");
	CHECK_INT(t.m.n_conflicts, 4);
	CHECK_INT(reason(&t, "both"), VV_MERGE_BOTH_CHANGED);
	CHECK_INT(reason(&t, "rc"), VV_MERGE_REMOVED_CHANGED);
	CHECK_INT(reason(&t, "cr"), VV_MERGE_CHANGED_REMOVED);
	CHECK_INT(reason(&t, "add"), VV_MERGE_BOTH_ADDED);
	CHECK_INT(reason(&t, "ok"), VV_MERGE_CLEAN);
	CHECK_INT(vv_merge_write(&t.m, -1, "model.x", NULL, &err), VV_ECONFLICT);
	CHECK_OK(vv_merge_settle(&t.m, "b*", VV_MERGE_THEIRS, &n, &err), &err);
	CHECK_INT(n, 1);
	CHECK_OK(vv_merge_settle(&t.m, "rc", VV_MERGE_BASE, &n, &err), &err);
	CHECK_OK(vv_merge_settle(&t.m, "nothing", VV_MERGE_OURS, &n, &err), &err);
	CHECK_INT(n, 0);
	CHECK_OK(vv_merge_settle(&t.m, NULL, VV_MERGE_OURS, &n, &err), &err);
	CHECK_INT(n, 2);
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, NULL, "both=11 rc=2 cr=30 ok=5 add=1");
	drop(&t);
}

/* Some tensors only: all else is ours, also where a whole side would be the result. */
static void test_some(void)
{
	static const char *const a[] = {"a", "new"}, *const cr[] = {"cr"}, *const none[] = {"none"};
	static const char m1[] = "\"step\":\"1\"", m2[] = "\"step\":\"2\"";
	struct vv_err err = VV_ERR_INIT;
	struct three t;
	size_t n = 9;

	make(&t, m1, "a=1 b=2 cr=3", m1, "a=1 b=2 cr=4", m2, "a=10 b=20 new=5");
	vv_merge_release(&t.m);
	CHECK_OK(vv_merge_plan_some(&t.m, &t.base.v, &t.ours.v, &t.theirs.v, a, 2, &n, &err), &err);
	CHECK_INT(n, 2);
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, m1, "a=10 b=2 new=5 cr=4");
	vv_merge_release(&t.m);
	CHECK_OK(vv_merge_plan_some(&t.m, &t.base.v, &t.ours.v, &t.theirs.v, cr, 1, &n, &err), &err);
	CHECK_INT(t.m.n_conflicts, 1);
	CHECK_INT(reason(&t, "cr"), VV_MERGE_CHANGED_REMOVED);
	vv_merge_release(&t.m);
	/* Ours is the base. */
	CHECK_OK(vv_merge_plan_some(&t.m, &t.ours.v, &t.ours.v, &t.theirs.v, cr, 1, &n, &err), &err);
	check_written(&t, m1, "a=1 b=2");
	vv_merge_release(&t.m);
	CHECK_OK(vv_merge_plan_some(&t.m, &t.base.v, &t.ours.v, &t.theirs.v, none, 1, &n, &err), &err);
	CHECK_INT(n, 0);
	vv_merge_release(&t.m);
	t.ours.m.format = "opaque";
	CHECK_INT(vv_merge_plan_some(&t.m, &t.base.v, &t.ours.v, &t.theirs.v, a, 2, &n, &err), VV_ENOTSUP);
	drop(&t);
}

/* Either name of a renamed tensor means both: what ours made of it is not lost. */
static void test_some_renamed(void)
{
	static const struct {
		const char *base, *ours, *theirs, *pattern, *merged;
		size_t conflicts;
	} rows[] = {
		{"x=2 b=6", "x=3 b=6", "a=2 b=6", "x", "a=3 b=6", 0},
		{"x=2 b=6", "x=3 b=6", "a=2 b=6", "a", "a=3 b=6", 0},
		{"x=2 b=6", "x=2 b=7", "a=2 b=6", "x", "a=2 b=7", 0},
		{"x=2 b=6", "x=2 b=7", "a=2 b=6", "a", "a=2 b=7", 0},
		{"x=2 b=6", "x=3 b=7", "a=2 b=5", "b", "x=3 b=7", 1},
		{"x=2 b=6", "x=3 b=6", "a=2 b=5", "b", "x=3 b=5", 0},
		{"x=2 b=6", "y=2 b=6", "x=1 b=6", "x", "y=1 b=6", 0},
		{"x=2 b=6", "y=2 b=6", "x=1 b=6", "y", "y=1 b=6", 0},
		{"x=2 b=6", "x=3 b=6", "a=1 b=6", "a", "a=1 x=3 b=6", 0}, /* another tensor */
		{"x=2 b=6", "x=3 b=6", "a=1 b=6", "x", "x=3 b=6", 1},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		FILE *f = tmpfile();
		struct vv_buf got, want;
		struct vv_err err = VV_ERR_INIT;
		struct three t;
		size_t n = 0;

		make(&t, NULL, rows[i].base, NULL, rows[i].ours, NULL, rows[i].theirs);
		vv_merge_release(&t.m);
		CHECK_OK(vv_merge_plan_some(&t.m, &t.base.v, &t.ours.v, &t.theirs.v, &rows[i].pattern, 1, &n, &err), &err);
		CHECK_INT(n, 1);
		CHECK_INT(t.m.n_conflicts, rows[i].conflicts);
		CHECK_OK(vv_merge_write_ours(&t.m, fileno(f), "model.x", NULL, &err), &err);
		fd_bytes(fileno(f), &got);
		st_file(&want, NULL, rows[i].merged);
		CHECK(buf_eq(&got, &want));
		if (!buf_eq(&got, &want))
			printf("# row %zu: %.*s\n", i, (int)got.len - 8, got.ptr + 8);
		vv_buf_release(&got);
		vv_buf_release(&want);
		fclose(f);
		drop(&t);
	}
}

static void test_metadata(void)
{
	static const char m1[] = "\"step\":\"1\"", m2[] = "\"step\":\"2\"", m3[] = "\"step\":\"3\"";
	struct vv_err err = VV_ERR_INIT;
	struct three t;
	size_t n = 0;

	make(&t, m1, "a=1 b=1", m1, "a=2 b=1", m2, "a=1 b=2");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, m2, "a=2 b=2");
	drop(&t);
	make(&t, m1, "a=1 b=1", m2, "a=2 b=1 new=1", m1, "a=1 b=2 other=1");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, m2, "a=2 b=2 other=1 new=1");
	drop(&t);
	make(&t, m1, "a=1 b=1", m1, "a=2 b=1 new=1", m2, "a=1 b=2 other=1");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, m2, "a=2 b=2 other=1 new=1");
	drop(&t);
	make(&t, m1, "a=1 b=1", m2, "a=2 b=1", m2, "a=1 b=2");
	CHECK_INT(t.m.n_conflicts, 0);
	check_written(&t, m2, "a=2 b=2");
	drop(&t);
	make(&t, m1, "a=1 b=1", m2, "a=2 b=1", m3, "a=1 b=2");
	CHECK_INT(t.m.n_conflicts, 1);
	CHECK_INT(t.m.frame.reason, VV_MERGE_METADATA);
	CHECK_OK(vv_merge_settle(&t.m, "*", VV_MERGE_THEIRS, &n, &err), &err);
	CHECK_INT(n, 0);
	CHECK_OK(vv_merge_settle(&t.m, NULL, VV_MERGE_THEIRS, &n, &err), &err);
	check_written(&t, m3, "a=2 b=2");
	drop(&t);
	make(&t, NULL, NULL, m2, "a=1", m3, "b=2");
	CHECK_INT(t.m.frame.reason, VV_MERGE_METADATA);
	CHECK_INT(vv_merge_settle(&t.m, NULL, VV_MERGE_BASE, &n, &err), VV_EUSAGE);
	drop(&t);
}

/* docs/internals/model.md, row by row: base, ours, theirs; what is written, "" when something is left. */
static void test_table(void)
{
	static const struct {
		const char *base, *ours, *theirs, *merged;
		size_t conflicts;
	} rows[] = {
		{"a=1 k=0", "a=1 k=1", "a=2 k=0", "a=2 k=1", 0},      /* changed on one side */
		{"a=1 k=0", "a=2 k=1", "a=2 k=0", "a=2 k=1", 0},      /* alike on both */
		{"a=1 k=0", "a=2 k=1", "a=3 k=0", "a=2 k=1", 1},      /* differently */
		{"k=0", "k=1", "k=0 a=1", "k=1 a=1", 0},              /* added on one side */
		{"k=0 j=0", "k=1 a=1 j=0", "k=0 a=1 j=2", "k=1 a=1 j=2", 0}, /* alike on both */
		{"k=0", "k=1 a=1", "k=0 a=2", "k=1 a=1", 1},          /* differently */
		{"a=1 k=0", "k=0", "a=1 k=1", "k=1", 0},              /* removed on one side */
		{"a=1 k=0 j=0", "k=1 j=0", "k=0 j=1", "k=1 j=1", 0},  /* on both */
		{"a=1 k=0", "k=0", "a=2 k=1", "k=1", 1},              /* removed and changed */
		{"a=1 k=0", "a=2 k=1", "k=0", "a=2 k=1", 1},
		{"a=1 k=0", "b=1 k=0", "a=1 k=1", "b=1 k=1", 0},      /* renamed on one side */
		{"a=1 k=0", "b=1 k=0", "a=2 k=0", "b=2 k=0", 0},      /* renamed and changed */
		{"a=1 k=0", "a=2 k=0", "b=1 k=0", "b=2 k=0", 0},
		{"a=1 k=0", "b=1 k=1", "b=1 k=0 j=1", "b=1 k=1 j=1", 0}, /* alike on both */
		{"a=1 k=0", "b=1 k=1", "c=1 k=0", "b=1 k=1", 3},      /* to two names */
		{"a=1 k=0", "b=1 k=1", "k=0", "b=1 k=1", 2},          /* renamed and removed */
		{"a=1 k=0", "k=1", "b=1 k=0", "k=1", 2},
		{"a=1 k=0", "b=1 k=1", "c=2 k=0", "c=2 b=1 k=1", 2},  /* one of them with other bytes */
		{"a=1 k=0", "b=1 c=1 k=1", "k=0", "b=1 c=1 k=1", 0},  /* copied, no renaming */
		{"a=1 k=0", "b=1 c=1 k=0", "a=2 k=0", "b=1 c=1 k=0", 1}, /* which of them is not known */
		{"a=1 b=1 k=0", "c=1 k=0", "a=2 b=2 k=0", "c=1 k=0", 2},
		{"a=1 k=0", "b=3 k=0", "a=2 k=0", "b=3 k=0", 1},      /* renamed with other bytes is removed and added */
	};
	struct three t;

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		FILE *f = tmpfile();
		struct vv_buf got, want;
		struct vv_err err = VV_ERR_INIT;

		make(&t, NULL, rows[i].base, NULL, rows[i].ours, NULL, rows[i].theirs);
		CHECK_INT(t.m.n_conflicts, rows[i].conflicts);
		CHECK_OK(vv_merge_write_ours(&t.m, fileno(f), "model.x", NULL, &err), &err);
		fd_bytes(fileno(f), &got);
		st_file(&want, NULL, rows[i].merged);
		CHECK(buf_eq(&got, &want));
		if (!buf_eq(&got, &want))
			printf("# row %zu: %.*s\n", i, (int)got.len - 8, got.ptr + 8);
		vv_buf_release(&got);
		vv_buf_release(&want);
		fclose(f);
		drop(&t);
	}
}

/* Renamed on both sides: a side's name is taken with it, or the old one. */
static void test_renamed_twice(void)
{
	static const struct {
		enum vv_merge_side side;
		const char *merged[2];
	} rows[] = {
		{VV_MERGE_OURS, {"b=1 k=1 j=2", "b=1 k=1 j=2"}},
		{VV_MERGE_THEIRS, {"c=1 k=1 j=2", "k=1 j=2"}},
		{VV_MERGE_BASE, {"a=1 k=1 j=2", "a=1 k=1 j=2"}},
	};
	struct vv_err err = VV_ERR_INIT;
	struct three t;
	size_t n = 0;

	for (size_t i = 0; i < VV_COUNT(rows); i++)
		for (size_t k = 0; k < 2; k++) {
			make(&t, NULL, "a=1 k=0 j=0", NULL, "b=1 k=1 j=0", NULL, k ? "k=0 j=2" : "c=1 k=0 j=2");
			CHECK_INT(reason(&t, "a"), VV_MERGE_RENAMED);
			CHECK_INT(reason(&t, "b"), VV_MERGE_RENAMED);
			CHECK_INT(vv_merge_write(&t.m, -1, "model.x", NULL, &err), VV_ECONFLICT);
			vv_err_clear(&err);
			CHECK_OK(vv_merge_settle(&t.m, NULL, rows[i].side, &n, &err), &err);
			CHECK_INT(n, 3 - k);
			check_written(&t, NULL, rows[i].merged[k]);
			drop(&t);
		}
}

/* A tensor of another shape or type is another tensor, be the bytes the same. */
static void test_reshaped(void)
{
	static const uint8_t bytes[16] = {1, 2, 3};
	static const struct {
		const char *dtype[3], *shape[3];
		enum vv_merge_reason reason;
		enum vv_merge_side take;
	} rows[] = {
		{{"F32", "F32", "F32"}, {"[4]", "[2,2]", "[4]"}, VV_MERGE_CLEAN, VV_MERGE_OURS},
		{{"F32", "F32", "F32"}, {"[4]", "[4]", "[4,1]"}, VV_MERGE_CLEAN, VV_MERGE_THEIRS},
		{{"F32", "F32", "F32"}, {"[4]", "[2,2]", "[4,1]"}, VV_MERGE_BOTH_CHANGED, VV_MERGE_OURS},
		{{"F32", "F32", "F32"}, {"[4]", "[2,2]", "[2,2]"}, VV_MERGE_CLEAN, VV_MERGE_OURS},
		{{"F32", "F32", "I32"}, {"[4]", "[4]", "[4]"}, VV_MERGE_CLEAN, VV_MERGE_THEIRS},
		{{"F32", "U32", "I32"}, {"[4]", "[4]", "[4]"}, VV_MERGE_BOTH_CHANGED, VV_MERGE_OURS},
	};

	for (size_t i = 0; i < VV_COUNT(rows); i++) {
		struct three t = {.pool = vv_pool_new(1)};
		struct mem_version *side[] = {&t.base, &t.ours, &t.theirs};

		for (size_t k = 0; k < 3; k++) {
			struct vv_buf b;
			struct st s;
			st_init(&s, NULL);
			st_add(&s, "a", rows[i].dtype[k], rows[i].shape[k], bytes, sizeof(bytes));
			st_f32(&s, "ours", k == 1);
			st_f32(&s, "theirs", k == 2);
			st_done(&s, &b);
			mem_version(side[k], &b, t.pool);
		}
		plan(&t);
		CHECK_INT(t.m.items[0].reason, rows[i].reason);
		CHECK_INT(t.m.items[0].take, rows[i].take);
		drop(&t);
	}
}

/* What a merge is by now: one side as it is, when all of it was taken. */
static void test_outcome(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct three t;
	size_t n;

	make(&t, NULL, "a=1 b=1", NULL, "a=2 b=2", NULL, "a=3 b=3");
	CHECK_INT(vv_merge_outcome(&t.m), VV_MERGE_IS_OURS);
	CHECK_OK(vv_merge_settle(&t.m, "a", VV_MERGE_THEIRS, &n, &err), &err);
	CHECK_INT(vv_merge_outcome(&t.m), VV_MERGE_ASSEMBLED);
	CHECK_OK(vv_merge_settle(&t.m, NULL, VV_MERGE_THEIRS, &n, &err), &err);
	CHECK_INT(vv_merge_outcome(&t.m), VV_MERGE_IS_THEIRS);
	vv_merge_unsettle_item(&t.m, &t.m.items[1], VV_MERGE_BOTH_CHANGED);
	CHECK_INT(t.m.n_conflicts, 1);
	CHECK_INT(vv_merge_outcome(&t.m), VV_MERGE_ASSEMBLED);
	t.m.items[0].take = VV_MERGE_MIXED;
	vv_merge_settle_item(&t.m, &t.m.items[1], VV_MERGE_OURS);
	CHECK_INT(vv_merge_outcome(&t.m), VV_MERGE_ASSEMBLED);
	CHECK_INT(vv_merge_write(&t.m, -1, "model.x", NULL, &err), VV_ENOTFOUND); /* nobody has mixed it */
	drop(&t);
}

/* A source in which weights cannot be read. */
struct blind {
	struct vv_source base;
	const struct vv_version *of;
	size_t frames;
};

static int read_blind(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	struct blind *b = (struct blind *)(uintptr_t)self;

	for (size_t i = 0; i < b->of->m->n_segs; i++) {
		const struct vv_segment *s = &b->of->m->segs[i].seg;
		if (!vv_merge_is_frame(s) && off < s->off + s->len && s->off < off + len)
			return vv_fail(err, VV_EIO, "weights were read");
	}
	b->frames++;
	return vv_source_read(b->of->bytes, off, dst, len, err);
}

static int count(void *arg, const struct vv_manifest_seg *seg, struct vv_err *e VV_UNUSED)
{
	*(size_t *)arg += vv_merge_is_frame(&seg->seg) ? 100 : 1;
	return 0;
}

/* Planning reads no weights; writing those that the result has. */
static void test_reads(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct blind b[3];
	struct vv_version v[3];
	struct three t;
	size_t n = 0;

	make(&t, NULL, "a=1 b=1 c=1 d=1", NULL, "a=2 b=1 c=1 d=5", NULL, "a=1 b=2 c=1 d=6 e=2");
	vv_merge_release(&t.m);
	for (size_t i = 0; i < 3; i++) {
		const struct vv_version *from[] = {&t.base.v, &t.ours.v, &t.theirs.v};
		b[i] = (struct blind){{from[i]->bytes->size, read_blind}, from[i], 0};
		v[i] = (struct vv_version){from[i]->m, &b[i].base};
	}
	CHECK_OK(vv_merge_plan(&t.m, &v[0], &v[1], &v[2], &err), &err);
	CHECK(b[0].frames && b[2].frames);
	CHECK_INT(t.m.n_conflicts, 1);
	CHECK_OK(vv_merge_reads(&t.m, count, &n, &err), &err);
	CHECK_INT(n, 105);
	t.m.items[3].take = VV_MERGE_MIXED;
	n = 0;
	CHECK_OK(vv_merge_reads(&t.m, count, &n, &err), &err);
	CHECK_INT(n, 107);
	drop(&t);
}

/* A format that cannot assemble, or two formats: one side as a whole. */
static void test_whole(void)
{
	static const char *const files[] = {"first", "second", "third"};
	struct vv_err err = VV_ERR_INIT;
	struct three t = {.pool = vv_pool_new(1)};
	struct mem_version *side[] = {&t.base, &t.ours, &t.theirs};
	size_t n = 0;

	for (int i = 0; i < 3; i++) {
		struct vv_buf b = VV_BUF_INIT(100);
		vv_buf_str(&b, files[i]);
		mem_version(side[i], &b, t.pool);
	}
	plan(&t);
	CHECK_INT(t.m.n_conflicts, 1);
	CHECK_INT(t.m.frame.reason, VV_MERGE_WHOLE);
	CHECK(!t.m.frame.name);
	CHECK_INT(vv_merge_settle(&t.m, NULL, VV_MERGE_BASE, &n, &err), VV_EUSAGE);
	CHECK_OK(vv_merge_settle(&t.m, NULL, VV_MERGE_THEIRS, &n, &err), &err);
	CHECK_INT(t.m.result, VV_MERGE_IS_THEIRS);
	CHECK_INT(vv_merge_write(&t.m, -1, "model.x", NULL, &err), VV_EUSAGE);
	vv_merge_release(&t.m);
	mem_release(&t.theirs);
	mem_st(&t.theirs, t.pool, NULL, "a=1");
	plan(&t);
	CHECK_INT(t.m.frame.reason, VV_MERGE_WHOLE);
	drop(&t);
}

int main(void)
{
	test_verbatim();
	test_clean();
	test_conflicts();
	test_some();
	test_some_renamed();
	test_metadata();
	test_table();
	test_renamed_twice();
	test_reshaped();
	test_outcome();
	test_reads();
	test_whole();
	for (int i = VV_MERGE_CLEAN; i <= VV_MERGE_WHOLE; i++)
		CHECK(vv_merge_reason_text((enum vv_merge_reason)i)[0] != 0);
	return done();
}
