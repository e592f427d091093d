#include "model/namesake.h"

#include <stdlib.h>

enum { TRIES = 64 };

struct vv_namesake {
	const char *name;
	size_t value;
	size_t next; /* index + 1 of the next of its kind; 0: none */
	bool used;
};

struct vv_namesake_list {
	size_t first, last; /* index + 1 */
};

const char *vv_name_last(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

/* Dotted components that both names end in. */
static size_t common_ending(const char *a, const char *b)
{
	size_t na = strlen(a), nb = strlen(b), parts = 0;

	for (; na && nb && a[na - 1] == b[nb - 1]; na--, nb--)
		parts += a[na - 1] == '.';
	/* The leftmost one counts when it is whole on both sides. */
	if ((!na || a[na - 1] == '.') && (!nb || b[nb - 1] == '.'))
		parts++;
	return parts;
}

int vv_namesakes_init(struct vv_namesakes *ns, size_t cap, struct vv_err *err)
{
	*ns = (struct vv_namesakes){.cap = cap};
	ns->all = calloc(cap ? cap : 1, sizeof(*ns->all));
	ns->lists = calloc(cap ? cap : 1, sizeof(*ns->lists));
	if (ns->all && ns->lists)
		return 0;
	vv_namesakes_release(ns);
	return vv_fail_nomem(err);
}

void vv_namesakes_release(struct vv_namesakes *ns)
{
	vv_map_release(&ns->kinds);
	vv_arena_release(&ns->arena);
	free(ns->all);
	free(ns->lists);
	*ns = (struct vv_namesakes){0};
}

int vv_namesakes_add(
	struct vv_namesakes *ns, struct vv_span key, const char *name, size_t value, struct vv_err *err)
{
	uint64_t *at = vv_map_find(&ns->kinds, key);
	struct vv_namesake_list *list;

	if (ns->n == ns->cap)
		VV_BUG("more namesakes than announced");
	if (!at) {
		char *kept = vv_arena_copy(&ns->arena, key);
		at = kept ? vv_map_put(&ns->kinds, vv_span(kept, key.len), ns->kinds.len, NULL) : NULL;
	}
	if (!at)
		return vv_fail_nomem(err);
	ns->all[ns->n++] = (struct vv_namesake){.name = name, .value = value};
	list = &ns->lists[*at];
	if (list->last)
		ns->all[list->last - 1].next = ns->n;
	else
		list->first = ns->n;
	list->last = ns->n;
	return 0;
}

bool vv_namesakes_take(struct vv_namesakes *ns, struct vv_span key, const char *name, size_t *value)
{
	const uint64_t *at = vv_map_find(&ns->kinds, key);
	struct vv_namesake *best = NULL;
	size_t best_parts = 0;

	if (!at)
		return false;
	struct vv_namesake_list *list = &ns->lists[*at];
	while (list->first && ns->all[list->first - 1].used)
		list->first = ns->all[list->first - 1].next;
	size_t i = list->first;
	for (int tries = 0; i && tries < TRIES; i = ns->all[i - 1].next, tries++) {
		struct vv_namesake *s = &ns->all[i - 1];
		size_t parts = s->used ? 0 : common_ending(s->name, name);
		if (!s->used && (!best || parts > best_parts)) {
			best = s;
			best_parts = parts;
		}
	}
	if (!best)
		return false;
	best->used = true;
	*value = best->value;
	return true;
}
