/* A recipe that parses says the same as JSON, for any tensor; one that does not says why. */
#include "blend/recipe.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same number, or none in both. */
static void same(double a, double b)
{
	if (a != b && (a == a || b == b))
		abort();
}

static void compare(const struct vv_recipe *a, const struct vv_recipe *b)
{
	static const char *const names[] = {"", "model.layers.0.mlp.weight", "a"};

	if (a->method != b->method || a->n_slices != b->n_slices || a->to != b->to)
		abort();
	for (size_t i = 0; i < a->n_slices && i < 16; i++) {
		const struct vv_recipe_slice *s = &a->slices[i], *t = &b->slices[i];
		if (s->n != t->n)
			abort();
		for (size_t k = 0; k < s->n && k < 16; k++) {
			if (s->sources[k].ranged != t->sources[k].ranged || s->sources[k].end != t->sources[k].end)
				abort();
			for (enum vv_blend_param p = 0; p < VV_BP_COUNT; p++)
				for (size_t n = 0; n < VV_COUNT(names); n++)
					same(vv_recipe_number(a, s, &s->sources[k], p, names[n], (double)n / 2),
						vv_recipe_number(b, t, &t->sources[k], p, names[n], (double)n / 2));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_recipe r, again;
	json_t *o;
	char *text;

	if (vv_recipe_parse(&r, vv_span(data, size), "f", &err)) {
		if (!err.code || !err.msg[0])
			abort();
		return 0;
	}
	o = vv_recipe_json(&r);
	text = o ? json_dumps(o, JSON_COMPACT) : NULL;
	/* What JSON makes longer may be too long, or filters hold brackets. */
	if (text && !vv_recipe_parse(&again, vv_span_str(text), "j", &err)) {
		compare(&r, &again);
		vv_recipe_release(&again);
	} else if (text && err.code != VV_ELIMIT) {
		abort();
	}
	free(text);
	json_decref(o);
	vv_recipe_release(&r);
	return 0;
}
