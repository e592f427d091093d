/* Columns that line up, for people. Cells are collected, then printed at once. */
#ifndef VV_CLI_TABLE_H
#define VV_CLI_TABLE_H

#include "base/arena.h"
#include "cli/cli.h"

enum { VV_TABLE_COLUMNS = 10 };

struct vv_table {
	struct vv_arena arena;
	struct vv_cell *cells; /* VV_TABLE_COLUMNS for each row */
	size_t n, cap;         /* rows */
	unsigned col;          /* of the row being filled */
	unsigned right;        /* bit k: column k is aligned to the right */
};
#define VV_TABLE_INIT(right_bits) {{NULL, 0}, NULL, 0, 0, 0, (right_bits)}

/* The next cell of the row being filled. Names must be safe already (vv_safe). */
void vv_table_cell(struct vv_table *t, enum vv_color color, const char *fmt, ...) VV_PRINTF(3, 4);
/* Ends the row; missing cells are empty. */
void vv_table_row(struct vv_table *t);
/* Prints all rows with so many spaces before each, forgets them and frees. */
void vv_table_print(struct vv_table *t, const struct vv_ctx *ctx, unsigned indent);

#endif
