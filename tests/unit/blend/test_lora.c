#include "blend/adapter.h"

#include "blended.h"

static struct vv_blend_plan plan;
static struct toy base, adapter;

#define RECIPE "{merge_method: lora, base_model: base, models: [{model: ad, parameters: {scale: 0.5%s}}]%s}"

/* The base has w (2, 3), e (3, 2) and n [1]; the adapter what `parts` says: names and shapes of f32 that count up. */
struct part {
	const char *name;
	uint64_t shape[2];
	enum vv_dtype dt;
};

static void init(const struct part *parts, size_t n)
{
	static const double w[6] = {1, 2, 3, 4, 5, 6};
	static const uint64_t two_three[2] = {2, 3}, three_two[2] = {3, 2};

	toy_init(&base);
	toy_segment(&base, VV_DT_F64, w, sizeof(w));
	toy_view(&base, "w.weight", 2, two_three, NULL, 0);
	toy_segment(&base, VV_DT_F64, w, sizeof(w));
	toy_view(&base, "e.weight", 2, three_two, NULL, 0);
	toy_f32(&base, "n.weight", 7);
	toy_done(&base);
	toy_init(&adapter);
	for (size_t i = 0; i < n; i++) {
		float v[64];
		for (size_t k = 0; k < 64; k++)
			v[k] = (float)(i + 1 + k);
		toy_segment(&adapter, parts[i].dt, v, (size_t)(parts[i].shape[0] * parts[i].shape[1]) * vv_dtype_width(parts[i].dt));
		toy_view(&adapter, parts[i].name, 2, parts[i].shape, NULL, 0);
	}
	toy_done(&adapter);
}

static int make(const char *more, const char *rest)
{
	static struct vv_recipe r;
	static struct vv_blend_model m[2];
	char text[256];
	int ret;

	vv_blend_plan_release(&plan);
	vv_recipe_release(&r);
	err = (struct vv_err)VV_ERR_INIT;
	snprintf(text, sizeof(text), RECIPE, more, rest);
	ret = vv_recipe_parse(&r, vv_span_str(text), "f", &err);
	m[0] = (struct vv_blend_model){base.v, "BASE"};
	m[1] = (struct vv_blend_model){adapter.v, "AD"};
	return ret ? ret : vv_blend_plan_make(&plan, &r, m, &err);
}

static void end(void)
{
	vv_blend_plan_release(&plan);
	toy_release(&base);
	toy_release(&adapter);
}

/* The numbers of the plan's tensor `i`. */
static void values(size_t i, unsigned threads, double *out)
{
	struct vv_pool *pool = vv_pool_new(threads);
	struct vv_blend_job j = {0};
	uint8_t raw[VV_BLEND_BLOCK];

	CHECK_OK(vv_blend_begin(&j, &plan.t[i], pool, &err), &err);
	CHECK_OK(vv_blend_make(&j, 0, 1, raw, &err), &err);
	vv_dtype_values(plan.t[i].to, raw, (size_t)j.numel, out);
	vv_blend_end(&j);
	vv_pool_free(pool);
}

#define A(name) "base_model.model." name ".lora_A.weight"
#define B(name) "base_model.model." name ".lora_B.weight"

static void test_sum(void)
{
	static const struct part parts[] = {{A("w"), {2, 3}, VV_DT_F32}, {B("w"), {2, 2}, VV_DT_F32}};
	/* A = 1 2 3 / 4 5 6, B = 2 3 / 4 5: B A = 14 19 24 / 24 33 42 */
	static const double want[6] = {1 + 7, 2 + 9.5, 3 + 12, 4 + 12, 5 + 16.5, 6 + 21};
	double got[6];

	init(parts, 2);
	CHECK_OK(make("", ""), &err);
	CHECK_INT(plan.n, 3);
	CHECK_STR(plan.t[0].method->name, "lora");
	CHECK(!plan.t[1].method && !plan.t[2].method && plan.t[0].to == VV_DT_F64);
	for (unsigned threads = 1; threads < 3; threads++) {
		values(0, threads, got);
		CHECK(!memcmp(got, want, sizeof(want)));
	}
	CHECK_OK(make("", ", dtype: bfloat16"), &err);
	CHECK(plan.t[0].to == VV_DT_BF16 && plan.t[1].to == VV_DT_BF16 && plan.t[1].method);
	values(1, 1, got);
	CHECK(got[5] == 6);
	end();
}

/* Of weights that are (in, out), and of an embedding, which always is. */
static void test_turned(void)
{
	static const struct part parts[] = {{A("e"), {1, 3}, VV_DT_F32}, {B("e"), {2, 1}, VV_DT_F32}};
	static const struct part emb[] = {{"base_model.model.e.lora_embedding_A", {1, 3}, VV_DT_F32},
		{"base_model.model.e.lora_embedding_B", {2, 1}, VV_DT_F32}};
	/* A = 1 2 3, B = 2 / 3: turned 2 3 / 4 6 / 6 9 */
	static const double want[6] = {1 + 1, 2 + 1.5, 3 + 2, 4 + 3, 5 + 3, 6 + 4.5};
	double got[6];

	for (int i = 0; i < 2; i++) {
		init(i ? emb : parts, 2);
		CHECK_OK(make(i ? "" : ", fan_in_fan_out: true", ""), &err);
		values(1, 2, got);
		CHECK(!memcmp(got, want, sizeof(want)));
		end();
	}
}

static void test_bad(void)
{
	static const struct {
		struct part parts[2];
		size_t n;
		const char *says;
		int code;
	} bad[] = {
		{{{A("x"), {2, 3}, VV_DT_F32}, {B("x"), {2, 2}, VV_DT_F32}}, 2, "BASE has no tensor \"x.weight\", which an adapter in AD", VV_EFORMAT},
		{{{A("w"), {2, 3}, VV_DT_F32}}, 1, "AD: tensor \"" A("w") "\" lacks \"" B("w"), VV_EFORMAT},
		{{{B("w"), {2, 2}, VV_DT_F32}}, 1, "AD: tensor \"" B("w") "\" lacks \"" A("w"), VV_EFORMAT},
		{{{"w.weight", {2, 2}, VV_DT_F32}}, 1, "AD: tensor \"w.weight\" is no part of a LoRA", VV_ENOTSUP},
		{{{A("w"), {2, 3}, VV_DT_F32}, {B("w"), {2, 3}, VV_DT_F32}}, 2, "AD: tensors \"" A("w") "\" and", VV_EFORMAT},
		{{{A("w"), {2, 4}, VV_DT_F32}, {B("w"), {2, 2}, VV_DT_F32}}, 2, "tensor \"" A("w") "\" of AD does not fit \"w.weight\" of BASE", VV_EFORMAT},
		{{{A("n"), {1, 1}, VV_DT_F32}, {B("n"), {1, 1}, VV_DT_F32}}, 2, "tensor \"" A("n") "\" of AD does not fit \"n.weight\" of BASE", VV_EFORMAT},
		{{{A("w"), {2, 3}, VV_DT_I32}, {B("w"), {2, 2}, VV_DT_F32}}, 2, "AD: tensor \"" A("w") "\" of type i32 cannot", VV_ENOTSUP},
		{{{A("w"), {0, 3}, VV_DT_F32}, {B("w"), {2, 0}, VV_DT_F32}}, 2, "AD: tensors \"" A("w") "\" and", VV_EFORMAT},
	};

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		init(bad[i].parts, bad[i].n);
		CHECK_INT(make("", ""), bad[i].code);
		if (strncmp(err.msg, bad[i].says, strlen(bad[i].says)) != 0)
			printf("# %s\n", err.msg);
		CHECK(!strncmp(err.msg, bad[i].says, strlen(bad[i].says)));
		end();
	}
	init(NULL, 0);
	CHECK_INT(make("", ""), VV_EFORMAT);
	CHECK_STR(err.msg, "AD has no tensors of an adapter");
	end();
}

/* It is found when the numbers are read, and says where. */
static void test_nan(void)
{
	static const struct part parts[] = {{A("w"), {2, 3}, VV_DT_F32}, {B("w"), {2, 2}, VV_DT_F32}};
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_blend_job j = {0};
	float nan = NAN, inf[] = {INFINITY, -INFINITY};
	uint8_t out[64];

	init(parts, 2);
	memcpy(adapter.bytes.ptr + 4, &nan, 4);
	CHECK_OK(make("", ""), &err);
	CHECK_INT(vv_blend_begin(&j, &plan.t[0], pool, &err), VV_EFORMAT);
	CHECK_STR(err.msg, "AD: tensor \"" A("w") "\" has a NaN");
	vv_blend_end(&j);
	/* One that the sum makes, of infinite numbers in a column. */
	memcpy(adapter.bytes.ptr + 4, &inf[0], 4);
	memcpy(adapter.bytes.ptr + 16, &inf[1], 4);
	CHECK_OK(vv_blend_begin(&j, &plan.t[0], pool, &err), &err);
	CHECK_INT(vv_blend_make(&j, 0, 1, out, &err), VV_EFORMAT);
	CHECK(strstr(err.msg, "tensor \"w.weight\": lora makes a NaN") != NULL);
	vv_blend_end(&j);
	vv_pool_free(pool);
	end();
}

int main(void)
{
	test_sum();
	test_turned();
	test_bad();
	test_nan();
	return done();
}
