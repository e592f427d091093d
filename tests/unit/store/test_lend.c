/* What a copy would take, and packs that go as they are. */
#include "fixture.h"
#include "store/thin.h"

#include <xxhash.h>

enum { LEN = 400000 };

static uint8_t a[LEN], b[LEN], c[LEN];

static uint64_t wanted(struct fixture *from, struct fixture *to, const struct vv_id *ids, size_t n, size_t *records)
{
	struct vv_extents x = {0};
	uint64_t sum = 0;

	CHECK_OK(vv_store_wanted(from->store, to->store, ids, n, &x, &from->err), &from->err);
	for (size_t i = 0; i < x.n; i++)
		sum += x.v[i].len;
	*records = x.n;
	vv_extents_release(&x);
	return sum;
}

static struct vv_id name_of(struct fixture *f, const struct vv_id *id)
{
	char hex[VV_ID_HEX + 1];
	struct vv_id name;

	snprintf(hex, sizeof(hex), "%.64s", strrchr(pack_of(f, id), '/') + 1);
	CHECK(!vv_id_parse(&name, vv_span_str(hex)));
	return name;
}

static bool suits(struct fixture *to, struct fixture *from, const struct vv_id *id)
{
	struct vv_id name = name_of(from, id);
	bool yes;

	CHECK_OK(vv_store_suits(to->store, from->store, &name, &yes, &to->err), &to->err);
	return yes;
}

/* Takes the pack of `id` as it is. */
static int adopt(struct fixture *to, struct fixture *from, const struct vv_id *id, bool hurt)
{
	struct vv_id name = name_of(from, id);
	char path[200], cmd[1200];

	snprintf(path, sizeof(path), "%s/arrived", to->dir);
	snprintf(cmd, sizeof(cmd), "cp %s %s && chmod u+w %s%s%s%s", pack_of(from, id), path, path, hurt ? " && printf x >>" : "",
		hurt ? path : "", "");
	CHECK(!system(cmd));
	vv_err_clear(&to->err);
	return vv_store_adopt(to->store, path, &name, &to->err);
}

static int count_pack(void *arg, const struct vv_pack_info *info, struct vv_err *err)
{
	(void)info;
	(void)err;
	++*(size_t *)arg;
	return 0;
}

/* A file under its own SHA-256, whatever it is: nothing of it gets in. */
static void refused(struct fixture *g, struct vv_buf *bytes, int code)
{
	char path[200];
	struct vv_id name;
	size_t n = 0;

	vv_sha256(vv_buf_view(bytes), &name);
	snprintf(path, sizeof(path), "%s/arrived", g->dir);
	vv_err_clear(&g->err);
	CHECK_OK(vv_write_file(path, vv_buf_view(bytes), false, &g->err), &g->err);
	CHECK_INT(vv_store_adopt(g->store, path, &name, &g->err), code);
	CHECK(access(path, F_OK));
	CHECK_OK(vv_store_each_pack(g->store, count_pack, &n, &g->err), &g->err);
	CHECK_INT(n, 0);
	fx_open(g);
	CHECK_INT(vv_store_bad_packs(g->store), 0);
}

/* Packs that lie: an object under another's id, no pack at all, one of a newer kind. */
static void test_liars(void)
{
	struct vv_buf bytes = VV_BUF_INIT(1 << 24);
	struct fixture f, g;
	struct vv_id one;
	uint64_t footer;

	fx_init(&f);
	fx_init(&g);
	one = put(&f, a, LEN, VV_DT_F32, NULL);
	CHECK_OK(vv_read_file(&bytes, pack_of(&f, &one), &f.err), &f.err);
	footer = vv_get64(bytes.ptr + bytes.len - PACK_TRAILER);
	bytes.ptr[footer] ^= 1;
	vv_put64(bytes.ptr + bytes.len - 16, XXH64(bytes.ptr + footer, bytes.len - PACK_TRAILER - footer, 0));
	refused(&g, &bytes, VV_ECORRUPT);
	bytes.ptr[footer] ^= 1;
	vv_put64(bytes.ptr + bytes.len - 16, XXH64(bytes.ptr + footer, bytes.len - PACK_TRAILER - footer, 0));
	bytes.ptr[6] = 2;
	refused(&g, &bytes, VV_ENOTSUP);
	bytes.len /= 2;
	refused(&g, &bytes, VV_ENOTSUP);
	bytes.ptr[6] = 1;
	refused(&g, &bytes, VV_ECORRUPT);
	bytes.ptr[0] = 'x';
	refused(&g, &bytes, VV_ECORRUPT);
	vv_buf_release(&bytes);
	fx_release(&f);
	fx_release(&g);
}

int main(void)
{
	struct fixture f, g;
	struct vv_id one, two, three, ids[3], strange = {{5}};
	struct vv_extents x = {0};
	uint64_t both;
	size_t n;

	fill_weights(a, LEN, 4, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 4, 2, 20);
	memcpy(c, b, LEN);
	nudge(c, LEN, 4, 2, 20);
	test_liars();
	fx_init(&f);
	fx_init(&g);
	one = put(&f, a, LEN, VV_DT_F32, NULL);
	two = put(&f, b, LEN, VV_DT_F32, &one);
	three = put(&f, c, LEN, VV_DT_F32, &two);
	ids[0] = three;
	ids[1] = one;
	ids[2] = three;
	/* With its bases, each once. */
	both = wanted(&f, &g, ids, 3, &n);
	CHECK_INT(n, 3);
	CHECK(both > wanted(&f, &g, &two, 1, &n) && n == 2);
	CHECK_INT(vv_store_wanted(f.store, g.store, &strange, 1, &x, &f.err), VV_ENOTFOUND);
	/* A delta's pack needs its base first, and less deep. */
	CHECK(suits(&g, &f, &one));
	CHECK(!suits(&g, &f, &two));
	CHECK_INT(adopt(&g, &f, &one, true), VV_ECORRUPT);
	CHECK(!vv_store_has(g.store, &one));
	CHECK_OK(adopt(&g, &f, &one, false), &g.err);
	CHECK_OK(get(g.store, &one, a, LEN, &g.err), &g.err);
	CHECK_OK(adopt(&g, &f, &one, false), &g.err);
	CHECK(wanted(&f, &g, ids, 3, &n) < both && n == 2);
	CHECK(suits(&g, &f, &two));
	CHECK(!suits(&g, &f, &three));
	CHECK_OK(adopt(&g, &f, &two, false), &g.err);
	CHECK_OK(adopt(&g, &f, &three, false), &g.err);
	CHECK_OK(get(g.store, &three, c, LEN, &g.err), &g.err);
	CHECK_INT(wanted(&f, &g, ids, 3, &n), 0);
	/* Young again; a pack that is not there is told. */
	ids[0] = name_of(&g, &one);
	CHECK_OK(vv_store_keep_packs(g.store, ids, 1, &g.err), &g.err);
	CHECK_INT(vv_store_keep_packs(g.store, &strange, 1, &g.err), VV_ENOTFOUND);
	vv_extents_release(&x);
	fx_release(&f);
	fx_release(&g);
	/* The base is there, but deeper than the delta: its pack will not do. */
	fx_init(&f);
	fx_init(&g);
	one = put(&f, a, LEN, VV_DT_F32, NULL);
	two = put(&f, b, LEN, VV_DT_F32, &one);
	three = put(&g, c, LEN, VV_DT_F32, NULL);
	one = put(&g, a, LEN, VV_DT_F32, &three);
	CHECK_INT(info_of(g.store, &one).depth, 1);
	CHECK(!suits(&g, &f, &two));
	fx_release(&f);
	fx_release(&g);
	return done();
}
