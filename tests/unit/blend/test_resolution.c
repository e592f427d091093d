#include "blend/resolution.h"

#include "tap.h"
#include "toy.h"

#define OID "0123456789012345678901234567890123456789"
#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "varve resolution 1\npath \"a \\\"b\\\".st\"\nbase -\nours " OID "\ntheirs " SHA "\nresult " SHA "\n"

static struct vv_err err;

static void test_strict(void)
{
	static const char text[] = HEAD "rule \"*\" \"linear weight=1,2\"\nrule \"h.\\u200b*\" \"ours\"\nleft \"(metadata)\" metadata\n"
					"left \"t\" both-changed\nleft \"u\" removed-changed\nleft \"v\" changed-removed\nleft \"w\" both-added\nleft \"x\" renamed\n";
	static const char *const bad[] = {"", "varve", "varve resolution 1", "varve resolution 1\n", "varve resolution 1\npath \"a\"\n",
		"varve resolution 1\npath a\nbase -\n", "varve resolution 1\npath \"a\" \nbase -\n",
		"varve resolution 1\npath \"\"\nbase -\n", HEAD "rule \"*\"\n", HEAD "rule \"*\" \"exec\"\n", HEAD "rule \"*\"  \"ours\"\n",
		HEAD "rule \"*\" \"ours\" \n", HEAD "left \"a\"\n", HEAD "left \"a\" clean\n", HEAD "left \"a\" whole\nrule \"*\" \"ours\"\n",
		HEAD "left \"a\" whole", HEAD "\n", HEAD "left a whole\n", HEAD "rule \"\" \"ours\"\n",
		"varve resolution 1\npath \"a\"\nbase 0\nours " OID "\ntheirs " OID "\nresult " SHA "\n",
		"varve resolution 1\npath \"a\"\nbase -\nours -\ntheirs " OID "\nresult " SHA "\n",
		"varve resolution 1\npath \"a\"\nbase -\nours " OID "\ntheirs " OID "\nresult -\n",
		"varve resolution 1\npath \"a\"\nbase -\nours 0123456789012345678901234567890123456ABC\ntheirs " OID "\nresult " SHA "\n"};
	struct vv_resolution r;
	struct vv_buf again = VV_BUF_INIT(VV_MAX_TEXT);

	CHECK_OK(vv_resolution_parse(&r, vv_span_str(text), &err), &err);
	CHECK_STR(r.path, "a \"b\".st");
	CHECK_STR(r.base, "");
	CHECK_STR(r.ours, OID);
	CHECK_STR(r.theirs, SHA);
	CHECK_INT(r.rules.n, 2);
	CHECK_STR(r.rules.v[1].pattern, "h.\xe2\x80\x8b*");
	CHECK(r.rules.v[0].of_model[1][VV_BP_WEIGHT] == 2);
	CHECK_INT(r.n_left, 6);
	CHECK_INT(r.left[0].reason, VV_MERGE_METADATA);
	CHECK_STR(r.left[4].name, "w");
	CHECK_INT(r.left[5].reason, VV_MERGE_RENAMED);
	CHECK_OK(vv_resolution_emit(&r, &again, &err), &err);
	CHECK_STR((char *)again.ptr, text);
	vv_resolution_release(&r);
	vv_buf_release(&again);
	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		err = (struct vv_err)VV_ERR_INIT;
		CHECK_INT(vv_resolution_parse(&r, vv_span_str(bad[i]), &err), VV_EFORMAT);
		CHECK(strstr(err.msg, "line ") || strstr(err.msg, "method") || strstr(err.msg, "rule"));
	}
	CHECK_INT(vv_resolution_parse(&r, vv_span_str("varve resolution 2\nanything"), &err), VV_ENOTSUP);
}

/* What is left of a plan, in its order. */
static void test_left(void)
{
	struct vv_resolution r = {.path = "m"};
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_merge m;
	struct toy t[3];

	for (size_t i = 0; i < 3; i++) {
		toy_init(&t[i]);
		t[i].m.format = "safetensors";
		toy_f32(&t[i], "a", (float)i);
		toy_f32(&t[i], "b", 1);
		toy_f32(&t[i], "c", (float)i);
		toy_done(&t[i]);
	}
	CHECK_OK(vv_merge_plan(&m, &t[2].v, &t[0].v, &t[1].v, &err), &err);
	m.frame.reason = VV_MERGE_METADATA;
	m.n_conflicts++;
	memcpy(r.ours, OID, sizeof(OID));
	memcpy(r.theirs, OID, sizeof(OID));
	CHECK_OK(vv_resolution_left(&r, &m, &err), &err);
	CHECK_OK(vv_resolution_emit(&r, &text, &err), &err);
	CHECK(strstr((char *)text.ptr, "\nleft \"(metadata)\" metadata\nleft \"a\" both-changed\nleft \"c\" both-changed\n"));
	m.frame.reason = VV_MERGE_WHOLE;
	CHECK_OK(vv_resolution_left(&r, &m, &err), &err);
	CHECK_STR(r.left[0].name, VV_MERGE_FILE_NAME);
	CHECK_STR(vv_merge_reason_word(VV_MERGE_WHOLE), "whole");
	vv_merge_release(&m);
	vv_resolution_release(&r);
	vv_buf_release(&text);
	for (size_t i = 0; i < 3; i++)
		toy_release(&t[i]);
}

int main(void)
{
	test_strict();
	test_left();
	return done();
}
