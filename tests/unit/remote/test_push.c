#include "carry.h"

/* Each version goes as one delta, over and over the same remote, and all of it arrives. */
static void test_versions(void)
{
	static struct carry c;
	struct vv_transfer t, again;
	uint64_t first = 0;

	carry_init(&c);
	for (int i = 0; i < 20; i++) {
		carry_version(&c);
		CHECK_OK(carry_push(&c, &c.ids[i], 1, &t), &c.err);
		CHECK_INT(t.packs, 1);
		if (!i)
			first = t.bytes;
		else if (i < 8)
			CHECK(t.bytes < first / 2);
		CHECK_OK(carry_push(&c, &c.ids[i], 1, &again), &c.err);
		CHECK_INT(again.packs, 0);
		CHECK_INT(again.bytes, 0);
	}
	CHECK_OK(carry_fetch(&c, c.ids, 20, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 20), 20);
	CHECK(t.packs > 0);
	carry_release(&c);
}

/* Many packs at once go as they are; what is not here is an error that names it. */
static void test_all(void)
{
	static struct carry c;
	struct vv_transfer t;
	struct vv_id strange = {{7}};

	carry_init(&c);
	for (int i = 0; i < 10; i++)
		carry_version(&c);
	CHECK_OK(carry_push(&c, c.ids, 10, &t), &c.err);
	CHECK(t.packs >= 1);
	CHECK_INT(carry_push(&c, &strange, 1, &t), VV_ENOTFOUND);
	CHECK(strstr(c.err.msg, "070000"));
	CHECK_OK(carry_fetch(&c, c.ids, 10, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, c.ids, 10), 10);
	carry_release(&c);
}

/* Opaque bytes, which are lists of chunks, some of which are there. */
static void test_chunks(void)
{
	static struct carry c;
	enum { N = 1 << 20 };
	uint8_t *bytes = malloc(N);
	struct vv_transfer t;
	struct vv_id one, two;

	carry_init(&c);
	for (size_t i = 0; i < N; i++)
		bytes[i] = (uint8_t)carry_rnd(&c);
	one = carry_put(&c, c.a, bytes, N, VV_DT_BYTES, NULL);
	CHECK_OK(carry_push(&c, &one, 1, &t), &c.err);
	CHECK(t.bytes > N);
	bytes[N / 2] ^= 1;
	two = carry_put(&c, c.a, bytes, N, VV_DT_BYTES, NULL);
	CHECK_OK(carry_push(&c, &two, 1, &t), &c.err);
	CHECK(t.bytes < N / 4);
	CHECK_OK(carry_fetch(&c, &two, 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, &two, 1), 1);
	CHECK_INT(carry_count(&c, c.b, &one, 1), 0);
	CHECK_OK(carry_fetch(&c, &one, 1, &t), &c.err);
	CHECK_INT(carry_count(&c, c.b, &one, 1), 1);
	CHECK(t.bytes < N / 4);
	carry_release(&c);
	free(bytes);
}

/* --- a remote that fails at its n-th call --- */

struct weak {
	struct vv_remote base, *real;
	int left, puts;
};

static int tired(struct weak *w, struct vv_err *err)
{
	return w->left-- == 0 ? vv_fail(err, VV_EIO, "weak: the line is cut") : 0;
}

static int weak_list(struct vv_remote *r, int (*fn)(void *, const struct vv_id *, uint64_t, struct vv_err *), void *arg,
	struct vv_err *err)
{
	struct weak *w = (struct weak *)r;

	return tired(w, err) ? err->code : w->real->ops->list(w->real, fn, arg, err);
}

static int weak_get(struct vv_remote *r, const struct vv_extent *parts, size_t n,
	int (*take)(void *, size_t, uint64_t, struct vv_span, struct vv_err *), void *arg, struct vv_err *err)
{
	struct weak *w = (struct weak *)r;
	/* Half of it comes through first. */
	int ret = w->left == 0 ? w->real->ops->get(w->real, parts, n / 2, take, arg, err) : 0;

	return ret || tired(w, err) ? err->code : w->real->ops->get(w->real, parts, n, take, arg, err);
}

static int weak_put(struct vv_remote *r, const struct vv_id *pack, const char *path, struct vv_progress *p, struct vv_err *err)
{
	struct weak *w = (struct weak *)r;

	if (tired(w, err))
		return err->code;
	w->puts++;
	return w->real->ops->put(w->real, pack, path, p, err);
}

static int weak_keep(struct vv_remote *r, const struct vv_id *packs, size_t n, struct vv_err *err)
{
	struct weak *w = (struct weak *)r;

	return tired(w, err) ? err->code : w->real->ops->keep(w->real, packs, n, err);
}

static void weak_close(struct vv_remote *r)
{
	(void)r;
}

static void test_cut(void)
{
	static const struct vv_remote_ops ops = {weak_list, weak_get, weak_put, weak_keep, weak_close};
	static struct carry c;
	struct vv_remote *real;
	struct weak w = {.base = {&ops, (char *)(uintptr_t)"weak"}};
	struct vv_transfer t;
	int at = 0, failed = 0;

	carry_init(&c);
	real = c.remote;
	w.real = real;
	for (int i = 0; i < 12; i++) {
		carry_version(&c);
		c.remote = &w.base;
		do {
			w.left = at++ % 7;
			failed += carry_push(&c, c.ids, c.n, &t) != 0;
		} while (c.err.code);
		/* What was said to be there is there. */
		do {
			w.left = at++ % 7;
			failed += carry_fetch(&c, &c.ids[i], 1, &t) != 0;
		} while (c.err.code);
		CHECK_INT(carry_count(&c, c.b, &c.ids[i], 1), 1);
		c.remote = real;
	}
	CHECK(failed > 10);
	/* Not one pack was sent twice. */
	CHECK(w.puts <= 13);
	carry_release(&c);
}

int main(void)
{
	test_versions();
	test_all();
	test_chunks();
	test_cut();
	return done();
}
