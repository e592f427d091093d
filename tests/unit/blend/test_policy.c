#include "blend/policy.h"

#include "model/assembly.h"
#include "tap.h"
#include "toy.h"

static struct vv_err err;

static int line(struct vv_policy *p, const char *text)
{
	return vv_policy_add_line(p, vv_span_str(text), &err);
}

static void test_rules(void)
{
	static const char *const bad[] = {"", "  ", "a", "a ", "* exec", "* passthrough", "* ours weight=1", "* linear weight",
		"* linear weight=", "* linear weight=x", "* linear weight=1,2,3", "* linear weight=0x10", "* linear weight=inf",
		"* linear weight=nan", "* linear t=1", "* slerp", "* slerp t=0.1,0.2", "* ties density=2", "* ties density=-0.1",
		"* linear normalize=yes", "* linear seed=x", "* dare_ties seed=-1", "* dare_ties seed=99999999999999999999",
		"* linear =1", "* linear\x01"};
	struct vv_policy p = {.n = 0};

	CHECK_OK(line(&p, "head.*\ttheirs"), &err);
	CHECK_OK(line(&p, "  *  linear   weight=0.25,0.75 normalize=false "), &err);
	CHECK_OK(line(&p, "a/*.st//b.* dare_ties density=0.5 seed=42"), &err);
	CHECK_OK(line(&p, "* slerp t=0.5"), &err);
	CHECK_OK(line(&p, "* base"), &err);
	CHECK_INT(p.n, 5);
	CHECK_STR(p.v[0].pattern, "head.*");
	CHECK_INT(p.v[0].side, VV_MERGE_THEIRS);
	CHECK(!p.v[0].file && !p.v[0].method);
	CHECK_STR(p.v[1].how, "linear   weight=0.25,0.75 normalize=false ");
	CHECK(p.v[1].of_model[0][VV_BP_WEIGHT] == .25 && p.v[1].of_model[1][VV_BP_WEIGHT] == .75 && p.v[1].p[VV_BP_NORMALIZE] == 0);
	CHECK_STR(p.v[2].file, "a/*.st");
	CHECK_STR(p.v[2].tensor, "b.*");
	CHECK(p.v[2].seed == 42 && p.v[2].of_model[1][VV_BP_DENSITY] == .5 && p.v[2].of_model[1][VV_BP_WEIGHT] == 1);
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		err = (struct vv_err)VV_ERR_INIT;
		CHECK_INT(line(&p, bad[i]), VV_EUSAGE);
		CHECK(err.msg[0]);
	}
	CHECK_INT(p.n, 5);
	for (size_t i = 0; vv_blend_methods[i]; i++)
		CHECK_INT(vv_policy_is_method(vv_span_str(vv_blend_methods[i]->name)), strcmp(vv_blend_methods[i]->name, "passthrough") != 0);
	CHECK(vv_policy_is_method(vv_span_str("ours")) && !vv_policy_is_method(vv_span_str("")) && !vv_policy_is_method(vv_span_str("mixed")));
	while (p.n < VV_MAX_RULES)
		if (line(&p, "a ours"))
			break;
	CHECK_INT(p.n, VV_MAX_RULES);
	CHECK_INT(line(&p, "a ours"), VV_ELIMIT);
	vv_policy_release(&p);
}

/* --- followed --- */

struct three {
	struct toy base, ours, theirs;
	struct vv_merge m;
	struct vv_policy p;
};

/* Four numbers each of a type that has them. */
static void add(struct toy *t, const char *name, enum vv_dtype dt, double x)
{
	float f[4] = {(float)x, (float)x, (float)x, (float)x};
	double d[4] = {x, x, x, x};
	int32_t i[4] = {(int32_t)x, 0, 0, 0};

	toy_tensor(t, name, dt, 4, dt == VV_DT_F64 ? (void *)d : dt == VV_DT_I32 ? (void *)i : (void *)f);
}

static void begin(struct three *t)
{
	*t = (struct three){.p = {.n = 0}};
	toy_init(&t->base);
	toy_init(&t->ours);
	toy_init(&t->theirs);
	t->base.m.format = t->ours.m.format = t->theirs.m.format = "safetensors";
}

static void plan(struct three *t, bool based)
{
	toy_done(&t->base);
	toy_done(&t->ours);
	toy_done(&t->theirs);
	CHECK_OK(vv_merge_plan(&t->m, based ? &t->base.v : NULL, &t->ours.v, &t->theirs.v, &err), &err);
}

static void end(struct three *t)
{
	vv_merge_release(&t->m);
	vv_policy_release(&t->p);
	toy_release(&t->base);
	toy_release(&t->ours);
	toy_release(&t->theirs);
}

/* How many the rules settled. */
static size_t apply(struct three *t, const char *path)
{
	size_t n = 0;

	CHECK_OK(vv_policy_apply(&t->p, path, &t->m, &n, &err), &err);
	return n;
}

static const struct vv_merge_item *item(const struct three *t, const char *name)
{
	for (size_t i = 0; i < t->m.n; i++)
		if (!strcmp(t->m.items[i].name, name))
			return &t->m.items[i];
	return NULL;
}

/* w, of two types, n a whole number, s of another shape on each side, gone only theirs, new on both. */
static void fill(struct three *t)
{
	const uint64_t two[] = {2, 2}, one[] = {4, 1};
	float x[4] = {7, 7, 7, 7};

	begin(t);
	add(&t->base, "w", VV_DT_F32, 1);
	add(&t->ours, "w", VV_DT_F32, 2);
	add(&t->theirs, "w", VV_DT_F64, 4);
	add(&t->base, "n", VV_DT_I32, 1);
	add(&t->ours, "n", VV_DT_I32, 2);
	add(&t->theirs, "n", VV_DT_I32, 3);
	add(&t->base, "gone", VV_DT_F32, 1);
	add(&t->theirs, "gone", VV_DT_F32, 2);
	toy_segment(&t->ours, VV_DT_F32, x, sizeof(x));
	toy_view(&t->ours, "s", 2, two, NULL, 0);
	toy_segment(&t->theirs, VV_DT_F32, x, sizeof(x));
	toy_view(&t->theirs, "s", 2, one, NULL, 0);
	add(&t->ours, "new", VV_DT_F32, 10);
	add(&t->theirs, "new", VV_DT_F32, 20);
	plan(t, true);
}

static void test_fits(void)
{
	struct three t;

	/* All are conflicts; what a method does not take is left to the next rule. */
	fill(&t);
	CHECK_INT(t.m.n_conflicts, 5);
	CHECK_OK(line(&t.p, "* ties"), &err);
	CHECK_OK(line(&t.p, "new linear"), &err);
	CHECK_OK(line(&t.p, "[ng]* theirs"), &err);
	CHECK_INT(apply(&t, "m.st"), 4);
	CHECK_INT(item(&t, "w")->take, VV_MERGE_MIXED);
	CHECK_INT(item(&t, "w")->mix, 0);
	CHECK_INT(item(&t, "new")->take, VV_MERGE_MIXED); /* ties needs a base */
	CHECK_INT(item(&t, "new")->mix, 1);
	CHECK_INT(item(&t, "n")->take, VV_MERGE_THEIRS); /* whole numbers */
	CHECK_INT(item(&t, "gone")->take, VV_MERGE_THEIRS);
	CHECK_INT(item(&t, "s")->reason, VV_MERGE_BOTH_ADDED);
	CHECK(vv_policy_mixes(&t.m));
	vv_policy_unmix(&t.p, &t.m);
	CHECK(!vv_policy_mixes(&t.m));
	CHECK_INT(item(&t, "w")->reason, VV_MERGE_BOTH_CHANGED);
	CHECK_INT(item(&t, "new")->reason, VV_MERGE_BOTH_ADDED);
	CHECK_INT(t.m.n_conflicts, 3);
	/* Nobody follows them again. */
	CHECK_INT(t.p.n, 1);
	CHECK(!strcmp(t.p.v[0].how, "theirs"));
	CHECK_INT(t.p.v[0].settled, 2);
	CHECK_INT(apply(&t, "m.st"), 1);
	end(&t);
	/* The first that matches, and only in such files. */
	fill(&t);
	CHECK_OK(line(&t.p, "b/*//* theirs"), &err);
	CHECK_OK(line(&t.p, "a/*.st//[!w]* base"), &err);
	CHECK_OK(line(&t.p, "* ours"), &err);
	CHECK_INT(apply(&t, "a/m.st"), 5);
	CHECK_INT(item(&t, "n")->take, VV_MERGE_BASE);
	CHECK_INT(item(&t, "w")->take, VV_MERGE_OURS);
	CHECK_INT(t.m.n_conflicts, 0);
	end(&t);
}

/* Both types differ from the base's: nobody knows which is meant. */
static void test_types(void)
{
	struct three t;

	begin(&t);
	add(&t.base, "w", VV_DT_I32, 1);
	add(&t.ours, "w", VV_DT_F32, 2);
	add(&t.theirs, "w", VV_DT_F64, 3);
	plan(&t, true);
	CHECK_OK(line(&t.p, "* linear"), &err);
	CHECK_INT(apply(&t, "m"), 0);
	end(&t);
	/* Without a common version none is taken. */
	begin(&t);
	add(&t.base, "w", VV_DT_F32, 1);
	add(&t.ours, "w", VV_DT_F32, 2);
	add(&t.theirs, "w", VV_DT_F32, 3);
	plan(&t, false);
	CHECK_OK(line(&t.p, "* base"), &err);
	CHECK_INT(apply(&t, "m"), 0);
	end(&t);
}

static struct vv_buf mixed;

static int write_mixed(struct vv_sink *self VV_UNUSED, struct vv_span data, struct vv_err *e VV_UNUSED)
{
	vv_buf_span(&mixed, data);
	return 0;
}

/* The first number of the only mixed tensor, in its type. */
static double mixed_to(const char *rule, enum vv_dtype theirs, double x, int *ret)
{
	struct vv_sink sink = {write_mixed};
	struct vv_pool *pool = vv_pool_new(2);
	struct three t;
	double v = 0;
	float f = 0;

	begin(&t);
	add(&t.base, "w", VV_DT_F32, 1);
	add(&t.ours, "w", VV_DT_F32, 2);
	add(&t.theirs, "w", theirs, x);
	plan(&t, true);
	CHECK_OK(line(&t.p, rule), &err);
	CHECK_INT(apply(&t, "m"), 1);
	vv_buf_init(&mixed, VV_MAX_TEXT);
	*ret = vv_policy_mix(&t.p, &t.m, pool, &sink, &err);
	if (!*ret && theirs == VV_DT_F64)
		memcpy(&v, mixed.ptr + mixed.len - 8, 8);
	else if (!*ret)
		memcpy(&f, mixed.ptr + mixed.len - 4, 4);
	vv_buf_release(&mixed);
	vv_pool_free(pool);
	end(&t);
	return theirs == VV_DT_F64 ? v : (double)f;
}

static void test_mix(void)
{
	int ret;

	CHECK(mixed_to("* linear", VV_DT_F32, 4, &ret) == 3);
	CHECK(mixed_to("* linear weight=1,3", VV_DT_F64, 4, &ret) == 3.5);
	CHECK(mixed_to("* task_arithmetic lambda=0.5", VV_DT_F32, 4, &ret) == 3);
	CHECK(mixed_to("* task_arithmetic weight=1,0", VV_DT_F32, 4, &ret) == 2);
	CHECK(mixed_to("* slerp t=1", VV_DT_F32, 4, &ret) == 4);
	CHECK(mixed_to("* nearswap t=0.25", VV_DT_F32, 4, &ret) == 2.25); /* ours, a little towards theirs */
	CHECK_INT(ret, 0);
	mixed_to("* linear", VV_DT_F32, (double)__builtin_nanf(""), &ret);
	CHECK_INT(ret, VV_EFORMAT);
	CHECK(strstr(err.msg, "\"w\"") && strstr(err.msg, "theirs"));
}

int main(void)
{
	test_rules();
	test_fits();
	test_types();
	test_mix();
	return done();
}
