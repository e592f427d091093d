#include "model/namesake.h"

#include "tap.h"

#include <stdio.h>

static void test_longest_ending(void)
{
	static const char *const names[] = {"a.b.weight", "x.b.weight", "weight", "x.c.weight"};
	struct vv_namesakes ns = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_span k = vv_span_str("k"), other = vv_span_str("other");
	size_t v = 99;

	CHECK_OK(vv_namesakes_init(&ns, 4, &err), &err);
	for (size_t i = 0; i < 4; i++)
		CHECK_OK(vv_namesakes_add(&ns, k, names[i], i, &err), &err);
	CHECK(!vv_namesakes_take(&ns, other, "weight", &v));
	CHECK(vv_namesakes_take(&ns, k, "net.c.weight", &v) && v == 3);
	CHECK(vv_namesakes_take(&ns, k, "net.x.b.weight", &v) && v == 1);
	CHECK(vv_namesakes_take(&ns, k, "q.weight", &v) && v == 0);
	CHECK(vv_namesakes_take(&ns, k, "unlike", &v) && v == 2);
	CHECK(!vv_namesakes_take(&ns, k, "a.b.weight", &v));
	vv_namesakes_release(&ns);
}

/* A prefix was added to a thousand names: each finds its own, in order. */
static void test_group(void)
{
	static char old[1000][32], new[1000][48];
	struct vv_namesakes ns = {0};
	struct vv_err err = VV_ERR_INIT;
	size_t v = 0, right = 0;

	CHECK_OK(vv_namesakes_init(&ns, 1000, &err), &err);
	for (size_t i = 0; i < 1000; i++) {
		snprintf(old[i], sizeof(old[i]), "layers.%zu.weight", i);
		snprintf(new[i], sizeof(new[i]), "model.%s", old[i]);
		CHECK(!vv_namesakes_add(&ns, vv_span_str("k"), old[i], i, &err));
	}
	for (size_t i = 0; i < 1000; i++)
		right += vv_namesakes_take(&ns, vv_span_str("k"), new[i], &v) && v == i;
	CHECK_INT(right, 1000);
	vv_namesakes_release(&ns);
}

int main(void)
{
	CHECK_STR(vv_name_last("a.b.c"), "c");
	CHECK_STR(vv_name_last("a"), "a");
	CHECK_STR(vv_name_last("a."), "");
	test_longest_ending();
	test_group();
	return done();
}
