#include "diff/diff.h"

#include "tap.h"
#include "toy.h"

#include <math.h>

static const char *const names[] = {"l.0.q", "l.0.k", "l.10.q", "l.1", "head.w", "gone.w", "odd.w"};

/* The items' names, in order; those of `order` when it is given. */
static const char *listed(const struct vv_diff *d, const size_t *order)
{
	static char text[256];
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < d->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "", d->items[order ? order[i] : i].name);
	return text;
}

/* All but gone.w and new.w are in both; l.1 and head.w are equal there; "was.w" is now "is.w". */
static void make(struct toy *a, struct toy *b, struct vv_diff *d)
{
	struct vv_err err = VV_ERR_INIT;

	toy_init(a);
	toy_init(b);
	for (size_t i = 0; i < VV_COUNT(names); i++) {
		bool same = !strcmp(names[i], "l.1") || !strcmp(names[i], "head.w");
		toy_f32(a, names[i], (float)i + 1);
		if (strcmp(names[i], "gone.w"))
			toy_f32(b, names[i], same ? (float)i + 1 : i == 6 ? NAN : (float)i + 2 + (float)i * (float)i);
	}
	toy_f32(a, "was.w", 77);
	toy_f32(b, "is.w", 77);
	toy_f32(b, "new.w", 78);
	toy_done(a);
	toy_done(b);
	CHECK_OK(vv_diff_make(d, &a->m, &b->m, &err), &err);
}

static void pick(const char *tensor, const char *layer, const char *want, size_t same)
{
	struct vv_diff_filter f = {&tensor, &layer, tensor != NULL, layer != NULL};
	struct vv_err err = VV_ERR_INIT;
	struct vv_diff d;
	struct toy a, b;

	make(&a, &b, &d);
	CHECK_OK(vv_diff_pick(&d, &f, &b.m, &err), &err);
	CHECK_STR(listed(&d, NULL), want);
	CHECK_INT(d.n_same, same);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

static void test_pick(void)
{
	pick(NULL, NULL, "l.0.q l.0.k l.10.q gone.w odd.w is.w new.w", 2);
	pick("*.q", NULL, "l.0.q l.10.q", 0);
	pick("*.w", NULL, "gone.w odd.w is.w new.w", 1);
	pick("was.w", NULL, "is.w", 0);
	pick("no such", NULL, "", 0);
	pick(NULL, "l", "l.0.q l.0.k l.10.q", 1);
	pick(NULL, "l.1", "", 0);
	pick(NULL, "l.1*", "l.10.q", 0);
	pick(NULL, "?.0", "l.0.q l.0.k", 0);
	pick(NULL, "l.0.q", "", 0);
	pick("is.w", "l.10", "l.10.q is.w", 0);
}

/* New NaN first, then by relative change, then by kind. */
static void test_order(void)
{
	struct vv_pool *pool = vv_pool_new(1);
	struct vv_err err = VV_ERR_INIT;
	struct vv_diff d;
	struct toy a, b;
	size_t *order;

	make(&a, &b, &d);
	CHECK_OK(vv_diff_order(&d, &order, &err), &err);
	CHECK_STR(listed(&d, order), "l.0.q l.0.k l.10.q odd.w gone.w new.w is.w");
	free(order);
	CHECK_OK(vv_diff_measure(&d, &a.v, &b.v, 0, pool, NULL, &err), &err);
	CHECK_OK(vv_diff_order(&d, &order, &err), &err);
	CHECK_STR(listed(&d, order), "odd.w l.10.q l.0.q l.0.k gone.w new.w is.w");
	free(order);
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
	vv_pool_free(pool);
}

struct seen {
	char text[256];
	size_t n;
};

static int see(void *arg, const char *name, const struct vv_view *v, const struct vv_diff_item *it,
	struct vv_err *err VV_UNUSED)
{
	struct seen *s = arg;

	s->n += (size_t)snprintf(s->text + s->n, sizeof(s->text) - s->n, "%s%s%s ", name, v ? "" : "-", it ? "*" : "");
	return 0;
}

static int stop(void *arg VV_UNUSED, const char *name, const struct vv_view *v VV_UNUSED,
	const struct vv_diff_item *it VV_UNUSED, struct vv_err *err)
{
	return vv_fail(err, VV_EIO, "at %s", name);
}

static void test_each(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct seen s = {{0}, 0};
	struct vv_diff d;
	struct toy a, b;

	make(&a, &b, &d);
	CHECK_OK(vv_diff_each(&d, &b.m, see, &s, &err), &err);
	CHECK_STR(s.text, "l.0.q* l.0.k* l.10.q* l.1 head.w odd.w* is.w* new.w* gone.w-* ");
	CHECK_INT(vv_diff_each(&d, &b.m, stop, NULL, &err), VV_EIO);
	CHECK_STR(err.msg, "at l.0.q");
	vv_diff_release(&d);
	toy_release(&a);
	toy_release(&b);
}

int main(void)
{
	test_pick();
	test_order();
	test_each();
	return done();
}
