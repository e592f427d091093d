#include "diff/diff.h"

#include "tap.h"
#include "toy.h"

static const struct vv_diff_item *item(const struct vv_diff *d, const char *name)
{
	for (size_t i = 0; i < d->n; i++)
		if (!strcmp(d->items[i].name, name))
			return &d->items[i];
	return NULL;
}

static bool is(const struct vv_diff *d, const char *name, enum vv_diff_kind kind)
{
	const struct vv_diff_item *it = item(d, name);

	return it && it->kind == kind;
}

static void test_kinds(void)
{
	static const float six[6] = {1, 2, 3, 4, 5, 6};
	struct toy a, b;
	struct vv_diff d = {0};
	struct vv_err err = VV_ERR_INIT;

	toy_init(&a);
	toy_segment(&a, VV_DT_BYTES, "header-a", 8);
	toy_f32(&a, "same", 1);
	toy_f32(&a, "gone", 2);
	toy_f32(&a, "changed", 3);
	toy_segment(&a, VV_DT_F32, six, sizeof(six));
	toy_view(&a, "reshaped", 2, (uint64_t[]){2, 3}, NULL, 0);
	toy_tensor(&a, "retyped", VV_DT_F32, 1, six);
	toy_f32(&a, "old.weight", 4);
	toy_segment(&a, VV_DT_BYTES, "tail", 4);
	toy_done(&a);

	toy_init(&b);
	toy_segment(&b, VV_DT_BYTES, "header-bb", 9);
	toy_f32(&b, "new", 7);
	toy_f32(&b, "same", 1);
	toy_f32(&b, "changed", 3.5f);
	toy_segment(&b, VV_DT_F32, six, sizeof(six));
	toy_view(&b, "reshaped", 2, (uint64_t[]){3, 2}, NULL, 0);
	toy_tensor(&b, "retyped", VV_DT_I32, 1, six);
	toy_f32(&b, "renamed.weight", 4);
	toy_segment(&b, VV_DT_BYTES, "tail", 4);
	toy_done(&b);

	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
	CHECK_INT(d.n, 6);
	CHECK_INT(d.n_same, 1);
	CHECK(!d.same_file);
	CHECK(is(&d, "new", VV_DIFF_ADDED) && !item(&d, "new")->view_a);
	CHECK(is(&d, "gone", VV_DIFF_REMOVED) && !item(&d, "gone")->seg_b);
	CHECK(is(&d, "changed", VV_DIFF_CHANGED));
	CHECK(is(&d, "reshaped", VV_DIFF_RESHAPED));
	CHECK(is(&d, "retyped", VV_DIFF_RETYPED));
	CHECK(is(&d, "renamed.weight", VV_DIFF_RENAMED));
	CHECK_STR(item(&d, "renamed.weight")->old_name, "old.weight");
	CHECK(!item(&d, "old.weight"));
	CHECK_STR(d.items[0].name, "new");
	CHECK_STR(d.items[1].name, "gone");
	CHECK_INT(d.opaque.runs_a, 2);
	CHECK_INT(d.opaque.runs_b, 2);
	CHECK_INT(d.opaque.only_a, 8);
	CHECK_INT(d.opaque.only_b, 9);
	CHECK_INT(d.opaque.both, 4);
	vv_diff_release(&d);

	CHECK_OK(vv_diff_make(&d, &a.m, &a.m, &err), &err);
	CHECK(d.same_file && !d.n && d.n_same == 6);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* Of many tensors only those that really left the order are said to have moved. */
static void test_moved(void)
{
	struct toy a, b;
	struct vv_diff d = {0};
	struct vv_err err = VV_ERR_INIT;

	toy_init(&a);
	toy_init(&b);
	toy_f32(&a, "1", 1), toy_f32(&a, "2", 2), toy_f32(&a, "3", 3), toy_f32(&a, "4", 4), toy_f32(&a, "5", 5);
	toy_f32(&b, "5", 5), toy_f32(&b, "1", 1), toy_f32(&b, "3", 3), toy_f32(&b, "2", 2), toy_f32(&b, "4", 4);
	toy_done(&a);
	toy_done(&b);
	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
	CHECK_INT(d.n, 2);
	CHECK(is(&d, "5", VV_DIFF_MOVED));
	CHECK(is(&d, "2", VV_DIFF_MOVED) || is(&d, "3", VV_DIFF_MOVED));
	CHECK_INT(d.n_same, 3);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

/* Equal tensors under many names: each new name pairs with the old one most like it, once. */
static void test_rename_of_equals(void)
{
	struct toy a, b;
	struct vv_diff d = {0};
	struct vv_err err = VV_ERR_INIT;

	toy_init(&a);
	toy_init(&b);
	toy_f32(&a, "x.norm", 1), toy_f32(&a, "y.norm", 1), toy_f32(&a, "z.bias", 1);
	toy_f32(&b, "m.y.norm", 1), toy_f32(&b, "m.x.norm", 1);
	toy_done(&a);
	toy_done(&b);
	CHECK_OK(vv_diff_make(&d, &a.m, &b.m, &err), &err);
	CHECK_INT(d.n, 3);
	CHECK(is(&d, "m.y.norm", VV_DIFF_RENAMED) && !strcmp(item(&d, "m.y.norm")->old_name, "y.norm"));
	CHECK(is(&d, "m.x.norm", VV_DIFF_RENAMED) && !strcmp(item(&d, "m.x.norm")->old_name, "x.norm"));
	CHECK(is(&d, "z.bias", VV_DIFF_REMOVED));
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

int main(void)
{
	test_kinds();
	test_moved();
	test_rename_of_equals();
	return done();
}
