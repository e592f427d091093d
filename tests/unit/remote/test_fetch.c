#include "carry.h"

/* One of many objects: its own bytes and its bases', no more; the rest later, against what is here. */
static void test_parts(void)
{
	static struct carry c;
	struct vv_transfer t, all;
	struct vv_id others[6];

	carry_init(&c);
	for (int i = 0; i < 6; i++) {
		for (size_t k = 0; k < CARRY_LEN; k++)
			c.bytes[k] = k % 4 == 3 ? 0x3d : (uint8_t)carry_rnd(&c);
		others[i] = carry_put(&c, c.a, c.bytes, CARRY_LEN, VV_DT_F32, NULL);
	}
	for (int i = 0; i < 6; i++)
		carry_version(&c);
	CHECK_OK(carry_push(&c, others, 6, &t), &c.err);
	CHECK_OK(carry_push(&c, c.ids, 6, &all), &c.err);
	CHECK_OK(carry_fetch(&c, &others[3], 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, others, 6), 1);
	CHECK(t.bytes < CARRY_LEN + 1000);
	CHECK_OK(carry_fetch(&c, &c.ids[2], 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 6), 3);
	/* A delta alone: what it goes against is here. */
	CHECK_OK(carry_fetch(&c, &c.ids[3], 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 6), 4);
	CHECK(t.bytes < CARRY_LEN / 2);
	/* What nobody has stays missing, and is no error. */
	struct vv_id ids[3] = {{{9}}, c.ids[5], {{8}}};
	CHECK_OK(carry_fetch(&c, ids, 3, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 6), 6);
	CHECK_OK(carry_fetch(&c, ids, 3, &t), &c.err);
	CHECK_INT(t.bytes, 0);
	carry_release(&c);
}

/* What a delta goes against is here, but in a copy that is deeper than the delta itself is there. */
static void test_deep(void)
{
	static struct carry c;
	struct vv_transfer t;
	uint8_t *other = malloc(CARRY_LEN);
	struct vv_id root, base;

	carry_init(&c);
	carry_version(&c);
	memcpy(other, c.bytes, CARRY_LEN);
	/* At the other side the same bytes are a delta already. */
	other[0] ^= 1;
	root = carry_put(&c, c.b, other, CARRY_LEN, VV_DT_F32, NULL);
	base = carry_put(&c, c.b, c.bytes, CARRY_LEN, VV_DT_F32, &root);
	CHECK(vv_id_eq(&base, &c.ids[0]));
	carry_version(&c);
	CHECK_OK(carry_push(&c, c.ids, 2, &t), &c.err);
	CHECK_OK(carry_fetch(&c, c.ids, 2, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 2), 2);
	carry_release(&c);
	free(other);
}

/* A whole pack that was cut goes on; one whose beginning is wrong is found out, and fetched anew. */
static void test_resume(void)
{
	static struct carry c;
	struct vv_transfer t, whole;
	char cmd[400];

	carry_init(&c);
	carry_version(&c);
	CHECK_OK(carry_push(&c, c.ids, 1, &whole), &c.err);
	snprintf(cmd, sizeof(cmd), "mkdir -p %s/incoming && cd %s/packs && for p in *.pack; do head -c 100000 $p >%s/incoming/${p%%.pack}; done",
		c.dir[1], c.dir[0], c.dir[1]);
	CHECK(!system(cmd));
	CHECK_OK(carry_fetch(&c, c.ids, 1, &t), &c.err);
	CHECK_INT(t.bytes, whole.bytes - 100000);
	CHECK_INT(carry_count(&c, c.b, c.ids, 1), 1);
	snprintf(cmd, sizeof(cmd), "cd %s && rm -f packs/* && cd %s/packs && for p in *.pack; do head -c 1000 /dev/zero >%s/incoming/${p%%.pack}; done",
		c.dir[1], c.dir[0], c.dir[1]);
	CHECK(!system(cmd));
	carry_open(&c, 1);
	CHECK_OK(carry_fetch(&c, c.ids, 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 1), 1);
	carry_release(&c);
}

int main(void)
{
	test_parts();
	test_deep();
	test_resume();
	return done();
}
