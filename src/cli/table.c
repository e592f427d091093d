#include "cli/table.h"

#include <stdarg.h>
#include <stdlib.h>

/* A longer cell pushes the rest of its own row only. */
enum { WIDEST = 80 };

struct vv_cell {
	const char *text; /* NULL: empty */
	enum vv_color color;
};

/* Room for one more row; without memory the table loses rows, which the reader sees as an end. */
static struct vv_cell *current(struct vv_table *t)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 64;
		struct vv_cell *c = realloc(t->cells, cap * VV_TABLE_COLUMNS * sizeof(*c));
		if (!c)
			return NULL;
		memset(c + t->cap * VV_TABLE_COLUMNS, 0, (cap - t->cap) * VV_TABLE_COLUMNS * sizeof(*c));
		t->cells = c;
		t->cap = cap;
	}
	return t->cells + t->n * VV_TABLE_COLUMNS;
}

void vv_table_cell(struct vv_table *t, enum vv_color color, const char *fmt, ...)
{
	struct vv_cell *row = current(t);
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	char text[256];
	va_list ap;
	int n;

	if (!row || t->col == VV_TABLE_COLUMNS)
		return;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= (int)sizeof(text)) {
		char *to = vv_buf_reserve(&b, (size_t)n + 1);
		va_start(ap, fmt);
		if (to)
			vsnprintf(to, (size_t)n + 1, fmt, ap);
		va_end(ap);
		b.len = to ? (size_t)n : 0;
	}
	row[t->col++] = (struct vv_cell){vv_arena_copy(&t->arena, b.len ? vv_buf_view(&b) : vv_span_str(text)), color};
	vv_buf_release(&b);
}

void vv_table_row(struct vv_table *t)
{
	if (current(t))
		t->n++;
	t->col = 0;
}

static void put_cell(const struct vv_ctx *ctx, const struct vv_cell *c, size_t width, bool right, bool last)
{
	size_t n = c->text ? vv_columns(c->text) : 0;

	for (size_t i = n; right && i < width; i++)
		putchar(' ');
	if (c->text)
		printf("%s%s%s", vv_color(ctx, c->color), c->text, c->color == VV_PLAIN ? "" : vv_color(ctx, VV_PLAIN));
	for (size_t i = n; !right && !last && i < width; i++)
		putchar(' ');
}

void vv_table_print(struct vv_table *t, const struct vv_ctx *ctx, unsigned indent)
{
	size_t width[VV_TABLE_COLUMNS] = {0};

	for (size_t i = 0; i < t->n * VV_TABLE_COLUMNS; i++) {
		size_t n = t->cells[i].text ? vv_columns(t->cells[i].text) : 0;
		size_t *w = &width[i % VV_TABLE_COLUMNS];
		*w = n > *w && n <= WIDEST ? n : *w;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct vv_cell *row = t->cells + i * VV_TABLE_COLUMNS;
		unsigned end = VV_TABLE_COLUMNS;

		while (end && !(row[end - 1].text && *row[end - 1].text))
			end--;
		printf("%*s", (int)indent, "");
		for (unsigned k = 0; k < end; k++) {
			if (k && (width[k] || (row[k].text && *row[k].text)))
				fputs("  ", stdout);
			put_cell(ctx, &row[k], width[k], t->right >> k & 1, k + 1 == end);
		}
		putchar('\n');
	}
	free(t->cells);
	vv_arena_release(&t->arena);
	*t = (struct vv_table)VV_TABLE_INIT(t->right);
}
