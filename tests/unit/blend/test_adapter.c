#include "blend/adapter.h"

#include "tap.h"

#include <math.h>
#include <stdlib.h>

static struct vv_err err;

#define LORA "{\"peft_type\":\"LORA\""

static const struct {
	const char *text, *says;
	int code;
} bad[] = {
	{"", "c:1: ", VV_EFORMAT},
	{"{", "c:1: ", VV_EFORMAT},
	{"[]", "c:1: not an object", VV_EFORMAT},
	{LORA ",\"r\":1,\"r\":2}", "c:1: duplicate", VV_EFORMAT},
	{"{}", "c: \"peft_type\" has to be a word", VV_EFORMAT},
	{"{\"peft_type\":\"IA3\"}", "c: an adapter of the kind \"IA3\", not LORA", VV_ENOTSUP},
	{LORA ",\"use_dora\":true}", "c: \"use_dora\" is not done", VV_ENOTSUP},
	{LORA ",\"layer_replication\":[[0,1]]}", "c: \"layer_replication\" is not done", VV_ENOTSUP},
	{LORA ",\"r\":0}", "c: \"r\" has to be a number above 0", VV_EFORMAT},
	{LORA ",\"r\":-1}", "c: \"r\" has to be a number above 0", VV_EFORMAT},
	{LORA ",\"r\":1.5}", "c: \"r\" has to be a whole number", VV_EFORMAT},
	{LORA ",\"r\":1e9}", "c: \"r\" has to be a whole number", VV_EFORMAT},
	{LORA ",\"r\":\"8\"}", "c: \"r\" has to be", VV_EFORMAT},
	{LORA ",\"lora_alpha\":[]}", "c: \"lora_alpha\" has to be", VV_EFORMAT},
	{LORA ",\"use_rslora\":1}", "c: \"use_rslora\" has to be true or false", VV_EFORMAT},
	{LORA ",\"fan_in_fan_out\":\"no\"}", "c: \"fan_in_fan_out\" has to be true or false", VV_EFORMAT},
	{LORA ",\"rank_pattern\":[1]}", "c: \"rank_pattern\" has to be an object", VV_EFORMAT},
	{LORA ",\"rank_pattern\":{\"q\":1.5}}", "c: \"rank_pattern\" has to be of whole numbers", VV_EFORMAT},
	{LORA ",\"alpha_pattern\":{\"q\":0}}", "c: \"alpha_pattern\" has to be of numbers", VV_EFORMAT},
	{LORA ",\"alpha_pattern\":{\"^q.*\":1}}", "c: \"alpha_pattern\" has \"^q.*\", which is no plain name", VV_ENOTSUP},
};

static int parse(struct vv_adapter *a, const char *text)
{
	err = (struct vv_err)VV_ERR_INIT;
	return vv_adapter_parse(a, vv_span_str(text), "c", &err);
}

static void test_bad(void)
{
	struct vv_adapter a;
	char *long_text = malloc(VV_MAX_ADAPTER_CONFIG + 2);

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		CHECK_INT(parse(&a, bad[i].text), bad[i].code);
		if (strncmp(err.msg, bad[i].says, strlen(bad[i].says)) != 0)
			printf("# %s\n", err.msg);
		CHECK(!strncmp(err.msg, bad[i].says, strlen(bad[i].says)));
	}
	memset(long_text, ' ', VV_MAX_ADAPTER_CONFIG + 1);
	long_text[VV_MAX_ADAPTER_CONFIG + 1] = 0;
	CHECK_INT(parse(&a, long_text), VV_ELIMIT);
	free(long_text);
}

/* As PEFT: alpha / r, or over its root; patterns by the end of a name, the first that fits. */
static void test_scale(void)
{
	struct vv_adapter a;
	uint64_t rank;

	CHECK_OK(parse(&a, LORA ",\"use_dora\":false,\"r\":null,\"target_modules\":[\"q\"]}"), &err);
	CHECK(vv_adapter_scale(&a, "x", &rank) == 1 && rank == 8 && !a.turned && !a.rslora);
	vv_adapter_release(&a);

	CHECK_OK(parse(&a, LORA ",\"r\":4,\"lora_alpha\":6,\"use_rslora\":true,\"fan_in_fan_out\":true}"), &err);
	CHECK(vv_adapter_scale(&a, "x", &rank) == 3 && rank == 4 && a.turned);
	vv_adapter_release(&a);

	CHECK_OK(parse(&a, LORA ",\"r\":4,\"lora_alpha\":8,\"rank_pattern\":{\"1.q\":2,\"q\":16},\"alpha_pattern\":{\"m.1.q\":10}}"), &err);
	CHECK(vv_adapter_scale(&a, "m.1.q", &rank) == 5 && rank == 2);
	CHECK(vv_adapter_scale(&a, "m.11.q", &rank) == .5 && rank == 16);
	CHECK(vv_adapter_scale(&a, "q", &rank) == .5 && rank == 16);
	CHECK(vv_adapter_scale(&a, "m.1.xq", &rank) == 2 && rank == 4);
	vv_adapter_release(&a);
}

static void test_parts(void)
{
	static const struct {
		const char *name, *module, *other;
		bool a, embedding;
	} good[] = {
		{"base_model.model.m.0.q.lora_A.weight", "m.0.q", "base_model.model.m.0.q.lora_B.weight", true, false},
		{"base_model.model.q.lora_B.default.weight", "q", "base_model.model.q.lora_A.default.weight", false, false},
		{"base_model.model.e.lora_embedding_A", "e", "base_model.model.e.lora_embedding_B", true, true},
		{"base_model.model.e.lora_embedding_B.default", "e", "base_model.model.e.lora_embedding_A.default", false, true},
	};
	static const char *const none[] = {"", "base_model.model.", "base_model.model.lora_A.weight", "q.lora_A.weight",
		"base_model.model..lora_A.weight", "base_model.model.q.lora_A.bias", "base_model.model.q.lora_magnitude_vector", "base_model.model.q.weight"};
	struct vv_adapter_part p;
	char *long_name = calloc(1, VV_MAX_NAME + 64);

	for (size_t i = 0; i < VV_COUNT(good); i++) {
		CHECK(vv_adapter_part(&p, good[i].name));
		CHECK_STR(p.module, good[i].module);
		CHECK_STR(p.other, good[i].other);
		CHECK(p.a == good[i].a && p.embedding == good[i].embedding);
	}
	for (size_t i = 0; i < VV_COUNT(none); i++)
		CHECK(!vv_adapter_part(&p, none[i]));
	strcpy(long_name, "base_model.model.");
	memset(long_name + 17, 'x', VV_MAX_NAME);
	strcpy(long_name + VV_MAX_NAME, ".lora_A.weight");
	CHECK(!vv_adapter_part(&p, long_name));
	free(long_name);
}

int main(void)
{
	test_bad();
	test_scale();
	test_parts();
	return done();
}
