#include "format/nametree.h"

#include "tap.h"

static struct vv_err err;

static int make(struct vv_nametree *t, const char *const *names, size_t n, unsigned levels)
{
	static struct vv_part parts[200];

	for (size_t i = 0; i < n; i++)
		parts[i] = (struct vv_part){.name = names[i]};
	return vv_nametree_make(t, "Test", levels, parts, n, &err);
}

/* "root(a(x,y),b)", by the chains. */
static void show(const struct vv_nametree *t, size_t i, char *out)
{
	strncat(out, (const char *)t->nodes[i].name.ptr, t->nodes[i].name.len);
	if (t->nodes[i].part)
		return;
	strcat(out, "(");
	for (size_t k = t->nodes[i].first; k; k = t->nodes[k].next) {
		CHECK_INT(t->nodes[k].group, i);
		show(t, k, out);
		strcat(out, t->nodes[k].next ? "," : "");
	}
	strcat(out, ")");
}

int main(void)
{
	static const char *const names[] = {"a/x", "b", "a/c/y", "a/z", "d/e/f", "d.e"};
	static const char *const bad[][2] = {{"a", "a/b"}, {"a/b", "a"}, {"a//b", "c"}, {"/a", "c"}, {"a/", "c"}, {"", "c"},
		{"a/b/c/d", "e"}};
	struct vv_nametree t;
	char out[256] = "", many[200][8];
	const char *all[200];

	CHECK_OK(make(&t, names, 6, 2), &err);
	show(&t, 0, out);
	CHECK_STR(out, "(a(x,c(y),z),b,d(e(f)),d.e)");
	CHECK_INT(t.nodes[0].n, 4);
	CHECK_STR(t.nodes[1].name.ptr ? "a" : "", "a");
	vv_nametree_release(&t);
	CHECK_OK(make(&t, NULL, 0, 2), &err);
	CHECK_INT(t.n, 1);
	vv_nametree_release(&t);
	for (size_t i = 0; i < 7; i++) {
		CHECK_INT(make(&t, bad[i], 2, 2), VV_ENOTSUP);
		CHECK(strstr(err.msg, "Test has no"));
		vv_nametree_release(&t);
	}
	for (size_t i = 0; i < 200; i++) {
		snprintf(many[i], sizeof(many[i]), "g/%zu", i);
		all[i] = many[i];
	}
	CHECK_OK(make(&t, all, 200, 2), &err);
	CHECK_INT(t.nodes[1].n, 200);
	vv_nametree_release(&t);
	return done();
}
