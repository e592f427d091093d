#include "diff/layers.h"

#include "tap.h"
#include "toy.h"

static struct vv_err err = VV_ERR_INIT;

/* "name:tensors:elements" of each layer of tensors of one element by these names. */
static const char *of(const char *const *names, size_t n, size_t max)
{
	static char text[2000];
	struct vv_description d;
	struct vv_layers l;
	struct toy t;
	size_t at = 0;

	*text = 0;
	toy_init(&t);
	for (size_t i = 0; i < n; i++)
		toy_f32(&t, names[i], (float)i);
	toy_done(&t);
	CHECK_OK(vv_describe(&d, NULL, &t.m, NULL, &err), &err);
	CHECK_OK(vv_layers_of(&l, &d, max, &err), &err);
	for (size_t i = 0; i < l.n && at < sizeof(text); i++) {
		const struct vv_layer_group *g = &l.groups[i];
		CHECK(g->n == g->count.tensors && g->by_dtype[VV_DT_F32] == g->count.bytes && g->tensors[g->n - 1]->view);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s:%zu:%d", i ? " " : "", g->name ? g->name : "…", g->n,
			(int)g->count.elements);
		if (g->layers > 1)
			at += (size_t)snprintf(text + at, sizeof(text) - at, ":%zu", g->layers);
	}
	vv_layers_release(&l);
	vv_description_release(&d);
	toy_release(&t);
	return text;
}

#define OF(max, ...) of((const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), max)

static void test_names(void)
{
	CHECK_STR(OF(10, "h.0.mlp.weight", "h.0.mlp.bias", "wte.weight", "head"), "h.0.mlp:2:2 wte:1:1 head:1:1");
	CHECK_STR(OF(10, "layers/dense/vars/0", "layers/dense/vars/1", "vars/0"), "layers/dense:2:2 vars:1:1");
	CHECK_STR(OF(10, "/conv/w", "/b", ".", ""), "/conv:1:1 /b:1:1 .:1:1 :1:1");
	CHECK_STR(OF(10, "a.w", "optimizer.state.0.exp_avg", "a.b"), "a:2:2");
	CHECK_STR(OF(10, "optimizer.state.0.exp_avg"), "");
}

/* Names are cut while that leaves enough of them. */
static void test_cut(void)
{
	CHECK_STR(OF(3, "m.0.a.w", "m.0.b.w", "m.1.a.w", "m.1.b.w", "h.w"), "m.0:2:2 m.1:2:2 h:1:1");
	CHECK_STR(OF(4, "m.0.w", "m.1.w", "m.2.w", "m.3.w", "m.4.w", "h.w"), "m:5:5 h:1:1");
	CHECK_STR(OF(2, "a", "b", "c.x.w"), "a:1:1 …:2:2:2");
}

/* Where a cut would leave but a few, the smallest are summed. */
static void test_rest(void)
{
	static const char *names[41] = {"h.w"};
	static char text[40][16];
	const char *is;

	for (int i = 0; i < 40; i++) {
		snprintf(text[i], sizeof(text[i]), "m.%d.w", i);
		names[i + 1] = text[i];
	}
	is = of(names, 41, 20);
	CHECK(!strncmp(is, "h:1:1 m.0:1:1 m.1:1:1 ", 22) && strstr(is, " m.17:1:1 …:22:22:22") && is[strlen(is) - 1] == '2');
}

int main(void)
{
	test_names();
	test_cut();
	test_rest();
	return done();
}
