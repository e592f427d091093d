#include "git/statcache.h"

#include "base/cursor.h"
#include "base/quote.h"
#include "os/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct vv_stat_row {
	const char *path, *oid;
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
};

static const char first_line[] = "varve stat 1";

static struct vv_stat_row row_of(const struct stat *st)
{
	return (struct vv_stat_row){NULL, NULL, (uint64_t)st->st_dev, (uint64_t)st->st_ino, (uint64_t)st->st_size,
		(uint64_t)st->st_mtim.tv_sec * 1000000000u + (uint64_t)st->st_mtim.tv_nsec,
		(uint64_t)st->st_ctim.tv_sec * 1000000000u + (uint64_t)st->st_ctim.tv_nsec};
}

static int put(struct vv_statcache *c, struct vv_stat_row row, struct vv_err *err)
{
	bool added;
	uint64_t *at;

	if (c->n == c->cap) {
		size_t cap = c->cap ? c->cap * 2 : 64;
		struct vv_stat_row *rows = realloc(c->rows, cap * sizeof(*rows));
		if (!rows)
			return vv_fail_nomem(err);
		c->rows = rows;
		c->cap = cap;
	}
	at = vv_map_put(&c->by_path, vv_span_str(row.path), c->n, &added);
	if (!at)
		return vv_fail_nomem(err);
	if (added)
		c->rows[c->n++] = row;
	else
		c->rows[*at] = row;
	return 0;
}

int vv_statcache_set(
	struct vv_statcache *c, const char *path, const struct stat *st, const char *oid, struct vv_err *err)
{
	struct vv_stat_row row = row_of(st);

	row.path = vv_arena_copy(&c->arena, vv_span_str(path));
	row.oid = vv_arena_copy(&c->arena, vv_span_str(oid));
	if (!row.path || !row.oid)
		return vv_fail_nomem(err);
	return put(c, row, err);
}

/* 1 when the line is not a row. */
static int parse(struct vv_statcache *c, struct vv_span line)
{
	struct vv_stat_row row = {0};
	struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err ignore = VV_ERR_INIT;
	char oid[VV_OID_HEX_MAX + 1];
	char *text = vv_arena_copy(&c->arena, line);
	int at = 0, ret = 1;
	struct vv_span rest;

	if (!text || sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %64s %n", &row.dev,
			     &row.ino, &row.size, &row.mtime_ns, &row.ctime_ns, oid, &at) != 6 || !at)
		return 1;
	rest = vv_span_str(text + at);
	if (vv_unquote(&name, &rest) || rest.len)
		goto out;
	row.path = vv_arena_copy(&c->arena, vv_buf_view(&name));
	row.oid = vv_arena_copy(&c->arena, vv_span_str(oid));
	ret = !row.path || !row.oid || put(c, row, &ignore);
out:
	vv_buf_release(&name);
	return ret;
}

int vv_statcache_open(struct vv_statcache *c, const struct vv_repo *r, struct vv_err *err)
{
	return vv_statcache_open_in(c, r->state_dir, err);
}

int vv_statcache_open_in(struct vv_statcache *c, const char *state_dir, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err ignore = VV_ERR_INIT;
	struct vv_cursor cur;
	struct vv_span line;

	*c = (struct vv_statcache){0};
	c->file = vv_join(state_dir, "stat");
	if (!c->file)
		return vv_fail_nomem(err);
	if (!vv_read_file(&b, c->file, &ignore)) {
		cur = vv_cursor(vv_buf_view(&b));
		if (!vv_take_line(&cur, &line) && vv_span_is(line, first_line))
			while (!vv_take_line(&cur, &line) && !parse(c, line))
				;
	}
	vv_buf_release(&b);
	return 0;
}

void vv_statcache_release(struct vv_statcache *c)
{
	vv_map_release(&c->by_path);
	vv_arena_release(&c->arena);
	free(c->rows);
	free(c->file);
	*c = (struct vv_statcache){0};
}

const char *vv_statcache_find(const struct vv_statcache *c, const char *path, const struct stat *st)
{
	const uint64_t *at = vv_map_find(&c->by_path, vv_span_str(path));
	struct vv_stat_row a = row_of(st);
	const struct vv_stat_row *b = at ? &c->rows[*at] : NULL;

	return b && a.dev == b->dev && a.ino == b->ino && a.size == b->size && a.mtime_ns == b->mtime_ns &&
			a.ctime_ns == b->ctime_ns
		? b->oid
		: NULL;
}

int vv_statcache_write(struct vv_statcache *c, struct vv_err *err)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_MANIFEST);
	int ret;

	vv_buf_fmt(&b, "%s\n", first_line);
	for (size_t i = 0; i < c->n; i++) {
		const struct vv_stat_row *row = &c->rows[i];
		vv_buf_fmt(&b, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s ", row->dev, row->ino,
			row->size, row->mtime_ns, row->ctime_ns, row->oid);
		vv_quote(&b, vv_span_str(row->path));
		vv_buf_char(&b, '\n');
	}
	ret = vv_buf_check(&b, err);
	if (!ret)
		ret = vv_write_file(c->file, vv_buf_view(&b), false, err);
	vv_buf_release(&b);
	return ret;
}
