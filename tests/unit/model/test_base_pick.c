#include "model/base_pick.h"

#include "tap.h"
#include "toy.h"

/* The toy's segments as a layout. */
static void layout_of(struct vv_layout *l, struct vv_segment *segs, const struct toy *t)
{
	for (size_t i = 0; i < t->m.n_segs; i++)
		segs[i] = t->m.segs[i].seg;
	*l = (struct vv_layout){.segs = segs, .n_segs = t->m.n_segs, .size = t->m.size};
}

int main(void)
{
	static const float two[2] = {1, 2}, more[2] = {3, 4};
	struct toy old, older, new;
	struct vv_segment segs[TOY_SEGS];
	struct vv_put_item items[TOY_SEGS];
	struct vv_layout l;
	struct vv_err err = VV_ERR_INIT;

	toy_init(&older);
	toy_f32(&older, "only.older", 9);
	toy_f32(&older, "same", 8);
	toy_done(&older);

	toy_init(&old);
	toy_segment(&old, VV_DT_BYTES, "head", 4);
	toy_f32(&old, "same", 1);
	toy_tensor(&old, "int8", VV_DT_F32, 2, two);
	toy_tensor(&old, "retyped", VV_DT_I32, 1, two);
	toy_tensor(&old, "grown", VV_DT_F32, 1, two);
	toy_f32(&old, "net.0.weight", 2);
	toy_f32(&old, "net.1.weight", 3);
	toy_tensor(&old, "net.2.weight", VV_DT_F32, 2, two);
	/* Packed: bytes, whatever is in them. */
	toy_f32(&old, "packed.now", 4);
	toy_f32(&old, "packed.then", 4);
	toy_coded(&old, VV_CODE_SHUFFLE, 0);
	toy_done(&old);

	toy_init(&new);
	toy_segment(&new, VV_DT_BYTES, "head", 4);
	toy_f32(&new, "same", 5);
	toy_tensor(&new, "retyped", VV_DT_F32, 1, two);
	toy_tensor(&new, "grown", VV_DT_F32, 2, more);
	toy_f32(&new, "model.net.1.weight", 6);
	toy_f32(&new, "model.net.0.weight", 7);
	toy_tensor(&new, "model.net.9.weight", VV_DT_F32, 2, more);
	toy_f32(&new, "model.net.3.weight", 7);
	toy_f32(&new, "only.older", 7);
	toy_f32(&new, "packed.now", 5);
	toy_coded(&new, VV_CODE_SHUFFLE, 0);
	toy_f32(&new, "packed.then", 5);
	toy_tensor(&new, "int8", VV_DT_I8, 2, two);
	toy_done(&new);
	layout_of(&l, segs, &new);

	const struct vv_manifest *parents[] = {&old.m, &older.m};
	memset(items, 0, sizeof(items));
	CHECK_OK(vv_pick_bases(items, &l, parents, 2, &err), &err);
	CHECK(!items[0].has_base);
	CHECK(items[1].has_base && vv_id_eq(&items[1].base, &old.m.segs[1].id));
	CHECK(!items[2].has_base);
	CHECK(!items[3].has_base);
	CHECK(items[4].has_base && vv_id_eq(&items[4].base, &old.m.segs[6].id));
	CHECK(items[5].has_base && vv_id_eq(&items[5].base, &old.m.segs[5].id));
	CHECK(items[6].has_base && vv_id_eq(&items[6].base, &old.m.segs[7].id));
	CHECK(!items[7].has_base);
	CHECK(items[8].has_base && vv_id_eq(&items[8].base, &older.m.segs[0].id));
	CHECK(!items[9].has_base);
	CHECK(!items[10].has_base);
	/* It may have been quantised from the floats of that name. */
	CHECK(items[11].has_base && vv_id_eq(&items[11].base, &old.m.segs[2].id));

	memset(items, 0, sizeof(items));
	CHECK_OK(vv_pick_bases(items, &l, NULL, 0, &err), &err);
	CHECK(!items[1].has_base);
	toy_release(&old);
	toy_release(&older);
	toy_release(&new);
	return done();
}
