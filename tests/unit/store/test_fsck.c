#include "fixture.h"

enum { LEN = 40000 };

struct seen {
	char text[40][1024];
	bool repaired[40];
	size_t n;
	const uint8_t *have; /* what recover can offer */
	size_t have_len;
};

static void note(void *arg, const struct vv_id *id VV_UNUSED, const char *text, bool repaired)
{
	struct seen *s = arg;

	if (s->n == VV_COUNT(s->text))
		return;
	snprintf(s->text[s->n], sizeof(s->text[0]), "%s", text);
	s->repaired[s->n++] = repaired;
}

static int offer(void *arg, const struct vv_id *id VV_UNUSED, uint64_t size, struct vv_buf *out, const char **where,
	struct vv_err *err)
{
	struct seen *s = arg;

	if (s->have_len != size)
		return vv_fail(err, VV_ENOTFOUND, "not here");
	vv_buf_add(out, s->have, s->have_len);
	*where = "somebody had it";
	return vv_buf_check(out, err);
}

static struct vv_fsck_stats fsck(struct fixture *f, bool repair, struct seen *seen)
{
	struct vv_fsck_report report = {note, offer, seen};
	struct vv_fsck_stats st = {0};

	seen->n = 0;
	CHECK_OK(vv_store_fsck(f->store, repair, &report, &st, NULL, &f->err), &f->err);
	return st;
}

static uint8_t a[LEN], b[LEN];
static struct seen seen;

/* A damaged base: both it and what needs it are named; the file's own bytes mend both. */
static void test_base(void)
{
	struct fixture f;
	struct vv_fsck_stats st;
	struct vv_id ia, ib;
	struct entry e;

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	CHECK_INT(info_of(f.store, &ib).depth, 1);
	st = fsck(&f, false, &seen);
	CHECK_INT(st.objects, 2);
	CHECK_INT(st.bad_objects + st.bad_packs + seen.n, 0);
	CHECK_INT(st.bytes, 2 * LEN);
	e = entry_of(&f, &ia);
	flip(pack_of(&f, &ia), e.off + 1000, 4);
	st = fsck(&f, false, &seen);
	CHECK_INT(st.bad_objects, 1);
	CHECK_INT(st.dependents, 1);
	CHECK_INT(st.bad_packs, 1);
	st = fsck(&f, true, &seen);
	CHECK_INT(st.repaired, 0);
	CHECK_INT(count_names(&f, "corrupt", NULL), 1);
	fx_release(&f);

	fx_init(&f);
	ia = put(&f, a, LEN, VV_DT_BF16, NULL);
	ib = put(&f, b, LEN, VV_DT_BF16, &ia);
	flip(pack_of(&f, &ia), e.off + 1000, 4);
	seen.have = a;
	seen.have_len = LEN;
	st = fsck(&f, true, &seen);
	CHECK_INT(st.repaired, 2);
	for (size_t i = 0; i < seen.n; i++)
		printf("# %s\n", seen.text[i]);
	CHECK_OK(get(f.store, &ia, a, LEN, &f.err), &f.err);
	CHECK_OK(get(f.store, &ib, b, LEN, &f.err), &f.err);
	st = fsck(&f, false, &seen);
	CHECK_INT(st.bad_objects + st.bad_packs + st.dependents, 0);
	fx_release(&f);
}

int main(void)
{
	fill_weights(a, LEN, 2, 1);
	memcpy(b, a, LEN);
	nudge(b, LEN, 2, 5, 7);
	test_base();
	return done();
}
