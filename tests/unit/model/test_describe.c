#include "model/describe.h"

#include "tap.h"
#include "toy.h"

static const struct vv_layer *child(const struct vv_layer *l, const char *name)
{
	for (l = l->child; l; l = l->next)
		if (!strcmp(l->name, name))
			return l;
	return NULL;
}

static void test_tree(void)
{
	static const float w[12] = {1, 2, 3};
	struct vv_description d;
	struct vv_err err = VV_ERR_INIT;
	const struct vv_layer *l;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head", 4);
	toy_segment(&t, VV_DT_F32, w, sizeof(w));
	toy_view(&t, "model.embed.weight", 2, (uint64_t[]){3, 4}, NULL, 0);
	toy_view(&t, "model.head.weight", 2, (uint64_t[]){3, 4}, NULL, 0);
	toy_tensor(&t, "model.layers.0.w", VV_DT_BF16, 6, w);
	toy_tensor(&t, "model.layers.1.w", VV_DT_BF16, 6, w);
	toy_f32(&t, "model.layers", 1);
	toy_f32(&t, "optimizer.state.0.exp_avg", 2);
	toy_f32(&t, "optimizer.state.0.exp_avg_sq", 3);
	toy_f32(&t, "", 3);
	toy_done(&t);
	CHECK_OK(vv_describe(&d, NULL, &t.m, NULL, &err), &err);
	CHECK_INT(d.n_tensors, 8);
	CHECK_INT(d.params.tensors, 6);
	CHECK_INT(d.params.elements, 12 + 6 + 6 + 1 + 1);
	CHECK_INT(d.params.bytes, 48 + 24 + 8);
	CHECK_INT(d.state.tensors, 2);
	CHECK_INT(d.state.elements, 2);
	CHECK_STR(d.optimizer, "Adam or AdamW");
	CHECK_INT(d.by_dtype[VV_DT_BF16].elements, 12);
	CHECK_INT(d.by_dtype[VV_DT_F32].tensors, 6);
	CHECK_INT(d.opaque, 4);
	CHECK_INT(d.objects, 6);
	CHECK_INT(d.missing, 0);
	CHECK(!d.tensors[0].shared && d.tensors[1].shared && !d.tensors[1].own_bytes);
	CHECK_INT(d.tensors[1].elements, 12);

	CHECK_STR(d.root->name, "");
	CHECK_INT(d.root->count.tensors, 8);
	CHECK(!d.root->tensor);
	l = child(d.root, "model");
	CHECK(l && l->count.elements == 25 && l->count.tensors == 5);
	l = l ? child(l, "layers") : NULL;
	CHECK(l && l->count.elements == 12 && !l->tensor && l->child && l->child->next);
	CHECK(l && l->next && l->next->tensor && !strcmp(l->next->name, "layers"));
	l = l ? child(child(l, "1"), "w") : NULL;
	CHECK(l && l->tensor == &d.tensors[3]);
	l = child(d.root, "");
	CHECK(l && l->tensor && l->tensor->view->name[0] == 0);
	vv_description_release(&d);
	toy_release(&t);
}

/* Views that overlap never count more than their storage has. */
static void test_views(void)
{
	static const float w[10];
	struct vv_description d;
	struct vv_err err = VV_ERR_INIT;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_F32, w, sizeof(w));
	toy_view(&t, "a", 1, (uint64_t[]){6}, NULL, 0);
	toy_view(&t, "b", 1, (uint64_t[]){4}, NULL, 6);
	toy_view(&t, "c", 1, (uint64_t[]){5}, NULL, 3);
	toy_view(&t, "huge", 2, (uint64_t[]){1ull << 40, 1ull << 40}, (uint64_t[]){0, 0}, 3);
	toy_done(&t);
	CHECK_OK(vv_describe(&d, NULL, &t.m, NULL, &err), &err);
	CHECK_INT(d.params.elements, 10);
	CHECK_INT(d.params.bytes, 40);
	CHECK(d.tensors[2].shared && d.tensors[3].shared);
	CHECK(!d.optimizer);
	vv_description_release(&d);
	toy_release(&t);
}

/* A name of dots alone makes no tree as deep as it is long. */
static void test_deep(void)
{
	char name[4001];
	struct vv_description d;
	struct vv_err err = VV_ERR_INIT;
	const struct vv_layer *l;
	int depth = 0;
	struct toy t;

	memset(name, '.', 4000);
	name[4000] = 0;
	toy_init(&t);
	toy_f32(&t, name, 1);
	toy_done(&t);
	CHECK_OK(vv_describe(&d, NULL, &t.m, NULL, &err), &err);
	for (l = d.root; l->child; l = l->child)
		depth++;
	CHECK_INT(depth, 64);
	CHECK_INT(strlen(l->name), 4000 - 63);
	CHECK(l->tensor);
	vv_description_release(&d);

	CHECK(vv_is_optimizer_state("optimizer.state.0.step"));
	CHECK(!vv_is_optimizer_state("model.step"));
	toy_release(&t);
}

/* What is packed counts as what it decodes to. */
static void test_packed(void)
{
	struct vv_description d;
	struct vv_err err = VV_ERR_INIT;
	struct toy t;

	toy_init(&t);
	toy_segment(&t, VV_DT_BYTES, "head", 4);
	toy_segment(&t, VV_DT_F32, "coded", 5);
	toy_coded(&t, VV_CODE_DEFLATE, 128);
	toy_view(&t, "w", 2, (uint64_t[]){30, 40}, NULL, 0);
	toy_view(&t, "again", 1, (uint64_t[]){1200}, NULL, 0);
	toy_done(&t);
	CHECK_OK(vv_describe(&d, NULL, &t.m, NULL, &err), &err);
	CHECK_INT(d.opaque, 4);
	CHECK_INT(d.params.tensors, 2);
	CHECK_INT(d.params.elements, 1200);
	CHECK_INT(d.params.bytes, 4800);
	CHECK(!d.tensors[0].shared && d.tensors[1].shared);
	vv_description_release(&d);
	toy_release(&t);
}

/* Chunks of a file reach past its array: what fills them up is no parameter. */
static void test_padding(void)
{
	static const uint64_t shape[] = {2, 3};
	struct vv_view in_file = {"w[2,3]", 2, shape, NULL, 0, 5}, in_manifest = {"w[2,3]", 2, shape, NULL, 0, 0};
	struct vv_segment file[] = {{.len = 8}, {.off = 8, .len = 24, .dtype = VV_DT_F32, .n_views = 1, .views = &in_file}};
	struct vv_manifest_seg segs[] = {{{.len = 5}, {{1}}}, {{.off = 5, .len = 3}, {{2}}},
		{{.off = 8, .len = 24, .dtype = VV_DT_F32, .n_views = 1, .views = &in_manifest}, {{3}}}};
	struct vv_layout located = {.segs = file, .n_segs = VV_COUNT(file), .size = 32};
	struct vv_manifest m = {.format = "hdf5", .size = 32, .segs = segs, .n_segs = VV_COUNT(segs)};
	struct vv_description d;
	struct vv_err err = VV_ERR_INIT;

	CHECK_OK(vv_describe(&d, NULL, &m, NULL, &err), &err);
	CHECK_INT(d.params.elements, 6);
	vv_description_release(&d);
	CHECK_OK(vv_describe(&d, NULL, &m, &located, &err), &err);
	CHECK_INT(d.params.elements, 1);
	CHECK_INT(d.by_dtype[VV_DT_F32].elements, 1);
	CHECK_INT(d.root->count.elements, 1);
	CHECK_INT(d.params.bytes, 24);
	vv_description_release(&d);
}

int main(void)
{
	test_packed();
	test_tree();
	test_views();
	test_deep();
	test_padding();
	return done();
}
