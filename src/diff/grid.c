#include "diff/grid.h"

#include "base/map.h"

#include <math.h>
#include <stdlib.h>

struct stack {
	const char *name;
	const char *rows[VV_GRID_ROWS], *columns[VV_GRID_COLUMNS];
	size_t n_rows, n_columns;
	size_t place[VV_GRID_ROWS]; /* of a row, once they are sorted */
};

/* Where a tensor stands. */
struct spot {
	const struct vv_view *v;
	const struct vv_diff_item *it;
	uint8_t stack, column;
	uint16_t row;
};

struct maker {
	struct vv_grids g;
	struct vv_map labels;       /* what kind, of which stack, text → number of the stack, row or column */
	struct vv_arena keys;
	struct stack *stacks[VV_GRID_STACKS];
	struct spot *spots;
	size_t n_spots, n;
	struct vv_buf text;
};

/* --- names --- */

static bool is_sep(char c)
{
	return c == '.' || c == '/';
}

/* The first component that is a number and not the last one; its length. */
static const char *index_of(const char *name, size_t *len)
{
	for (const char *p = name; *p;) {
		size_t n = strspn(p, "0123456789");

		if (n && is_sep(p[n]) && p[n + 1]) {
			*len = n;
			return p;
		}
		p += strcspn(p, "./");
		p += *p != 0;
	}
	return NULL;
}

/* The column of what follows the index: numbers become "*", the ending ".weight" goes. */
static void put_column(struct vv_buf *out, const char *rest)
{
	size_t len = strlen(rest);

	if (len >= 7 && is_sep(rest[len - 7]) && !strcmp(rest + len - 6, "weight"))
		len -= 7;
	for (size_t i = 0; i < len;) {
		size_t n = strspn(rest + i, "0123456789");

		if (n && (i + n == len || is_sep(rest[i + n]))) {
			vv_buf_char(out, '*');
			i += n;
		}
		for (; i < len && !is_sep(rest[i]); i++)
			vv_buf_char(out, rest[i]);
		if (i < len)
			vv_buf_char(out, rest[i++]);
	}
}

/* The number under which a text is known; `max` when there is no room. SIZE_MAX: no memory. */
static size_t number(struct maker *k, char kind, size_t stack, struct vv_span text, size_t *n, size_t max, const char **out)
{
	char *key = vv_arena_alloc(&k->keys, text.len + 2);
	const uint64_t *at;
	bool added;

	if (!key)
		return SIZE_MAX;
	key[0] = kind;
	key[1] = (char)stack;
	memcpy(key + 2, text.ptr, text.len);
	at = vv_map_put(&k->labels, vv_span(key, text.len + 2), *n < max ? *n : max, &added);
	if (!at)
		return SIZE_MAX;
	if (added && *n < max) {
		out[*n] = vv_arena_copy(&k->g.arena, text);
		return out[*n] ? (*n)++ : SIZE_MAX;
	}
	return (size_t)*at;
}

/* --- where they stand --- */

static int put_other(struct maker *k, const char *name, const struct vv_view *v, const struct vv_diff_item *it)
{
	struct vv_grid_other *o = &k->g.others[k->g.n_others];

	/* What did not change outside of the layers need not be told. */
	if (!it)
		return 0;
	if (k->g.n_others == VV_GRID_OTHERS) {
		k->g.left_out++;
		return 0;
	}
	*o = (struct vv_grid_other){.name = name};
	vv_delta_sum_add(&o->sum, v, it);
	k->g.n_others++;
	return 0;
}

static int place(void *arg, const char *name, const struct vv_view *v, const struct vv_diff_item *it, struct vv_err *err)
{
	struct maker *k = arg;
	size_t len, s, row, column;
	const char *index = index_of(name, &len), *stacks[VV_GRID_STACKS] = {0}, *digits = index;
	struct stack *st;

	if (!index)
		return put_other(k, name, v, it);
	s = number(k, 's', 0, vv_span(name, index > name ? (size_t)(index - name) - 1 : 0), &k->n, VV_GRID_STACKS, stacks);
	if (s < VV_GRID_STACKS && stacks[s]) {
		k->stacks[s] = calloc(1, sizeof(*st));
		if (!k->stacks[s])
			return vv_fail_nomem(err);
		k->stacks[s]->name = stacks[s];
	}
	if (s == VV_GRID_STACKS)
		goto left_out;
	if (s == SIZE_MAX)
		return vv_fail_nomem(err);
	st = k->stacks[s];
	for (; len > 1 && *digits == '0'; len--)
		digits++;
	vv_buf_clear(&k->text);
	put_column(&k->text, index + strspn(index, "0123456789") + 1);
	row = number(k, 'r', s, vv_span(digits, len), &st->n_rows, VV_GRID_ROWS, st->rows);
	column = number(k, 'c', s, k->text.len ? vv_buf_view(&k->text) : vv_span("", 0), &st->n_columns, VV_GRID_COLUMNS, st->columns);
	if (row == SIZE_MAX || column == SIZE_MAX || k->text.failed)
		return vv_fail_nomem(err);
	if (row == VV_GRID_ROWS || column == VV_GRID_COLUMNS)
		goto left_out;
	k->spots[k->n_spots++] = (struct spot){v, it, (uint8_t)s, (uint8_t)column, (uint16_t)row};
	return 0;
left_out:
	k->g.left_out++;
	return 0;
}

/* --- the grids --- */

static int by_number(const void *p, const void *q)
{
	const char *a = *(const char *const *)p, *b = *(const char *const *)q;
	size_t la = strlen(a), lb = strlen(b);

	return la != lb ? (la < lb ? -1 : 1) : strcmp(a, b);
}

static int make_grid(struct maker *k, struct stack *st, struct vv_grid *g, struct vv_err *err)
{
	const char *was[VV_GRID_ROWS];

	g->stack = st->name;
	g->n_rows = st->n_rows;
	g->n_columns = st->n_columns;
	g->rows = vv_arena_array(&k->g.arena, st->n_rows, sizeof(*g->rows));
	g->columns = vv_arena_array(&k->g.arena, st->n_columns, sizeof(*g->columns));
	g->cells = vv_arena_array(&k->g.arena, st->n_rows * st->n_columns, sizeof(*g->cells));
	g->row_sums = vv_arena_array(&k->g.arena, st->n_rows, sizeof(*g->row_sums));
	g->column_sums = vv_arena_array(&k->g.arena, st->n_columns, sizeof(*g->column_sums));
	if (!g->rows || !g->columns || !g->cells || !g->row_sums || !g->column_sums)
		return vv_fail_nomem(err);
	memcpy(was, st->rows, st->n_rows * sizeof(*was));
	memcpy(g->columns, st->columns, st->n_columns * sizeof(*g->columns));
	qsort(st->rows, st->n_rows, sizeof(*st->rows), by_number);
	memcpy(g->rows, st->rows, st->n_rows * sizeof(*g->rows));
	for (size_t i = 0; i < st->n_rows; i++)
		for (size_t j = 0; j < st->n_rows; j++)
			if (st->rows[j] == was[i])
				st->place[i] = j;
	return 0;
}

static void widen(struct vv_grids *g, const struct vv_delta_sum *s)
{
	double r = vv_delta_sum_relative(s);

	if (!(r > 0) || !isfinite(r))
		return;
	g->max = fmax(g->max, r);
	g->min = g->min > 0 ? fmin(g->min, r) : r;
}

static int make_grids(struct maker *k, struct vv_err *err)
{
	k->g.v = vv_arena_array(&k->g.arena, k->n, sizeof(*k->g.v));
	if (!k->g.v)
		return vv_fail_nomem(err);
	for (; k->g.n < k->n; k->g.n++) {
		int ret = make_grid(k, k->stacks[k->g.n], &k->g.v[k->g.n], err);
		if (ret)
			return ret;
	}
	for (size_t i = 0; i < k->n_spots; i++) {
		const struct spot *s = &k->spots[i];
		struct vv_grid *g = &k->g.v[s->stack];
		size_t row = k->stacks[s->stack]->place[s->row];

		vv_delta_sum_add(&g->sum, s->v, s->it);
		vv_delta_sum_add(&g->row_sums[row], s->v, s->it);
		vv_delta_sum_add(&g->column_sums[s->column], s->v, s->it);
		vv_delta_sum_add(&g->cells[row * g->n_columns + s->column], s->v, s->it);
	}
	for (size_t i = 0; i < k->g.n; i++)
		for (size_t c = 0; c < k->g.v[i].n_rows * k->g.v[i].n_columns; c++)
			widen(&k->g, &k->g.v[i].cells[c]);
	for (size_t i = 0; i < k->g.n_others; i++)
		widen(&k->g, &k->g.others[i].sum);
	return 0;
}

int vv_grids_make(struct vv_grids *out, const struct vv_diff *d, const struct vv_manifest *b, struct vv_err *err)
{
	struct maker k = {.text = VV_BUF_INIT(VV_MAX_TEXT)};
	size_t n = d->n + 1;
	int ret = 0;

	for (size_t i = 0; i < b->n_segs; i++)
		n += b->segs[i].seg.n_views;
	k.spots = calloc(n, sizeof(*k.spots));
	k.g.others = vv_arena_array(&k.g.arena, VV_GRID_OTHERS + 1, sizeof(*k.g.others));
	if (!k.spots || !k.g.others)
		ret = vv_fail_nomem(err);
	if (!ret)
		ret = vv_diff_each(d, b, place, &k, err);
	if (!ret)
		ret = make_grids(&k, err);
	for (size_t i = 0; i < k.n; i++)
		free(k.stacks[i]);
	free(k.spots);
	vv_map_release(&k.labels);
	vv_arena_release(&k.keys);
	vv_buf_release(&k.text);
	if (ret)
		vv_grids_release(&k.g);
	else
		*out = k.g;
	return ret;
}

void vv_grids_release(struct vv_grids *g)
{
	vv_arena_release(&g->arena);
	g->n = g->n_others = 0;
}
