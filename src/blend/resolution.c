#include "blend/resolution.h"

#include "base/cursor.h"
#include "base/quote.h"

#include <stdio.h>

static const char head[] = "varve resolution ";

static const char *const words[] = {[VV_MERGE_CLEAN] = "clean", [VV_MERGE_BOTH_CHANGED] = "both-changed",
	[VV_MERGE_REMOVED_CHANGED] = "removed-changed", [VV_MERGE_CHANGED_REMOVED] = "changed-removed",
	[VV_MERGE_BOTH_ADDED] = "both-added", [VV_MERGE_RENAMED] = "renamed",
	[VV_MERGE_METADATA] = "metadata", [VV_MERGE_WHOLE] = "whole"};

const char *vv_merge_reason_word(enum vv_merge_reason reason)
{
	return words[reason];
}

void vv_resolution_release(struct vv_resolution *r)
{
	vv_policy_release(&r->rules);
	vv_arena_release(&r->arena);
	*r = (struct vv_resolution){.path = NULL};
}

int vv_resolution_left(struct vv_resolution *r, const struct vv_merge *m, struct vv_err *err)
{
	r->n_left = 0;
	r->left = vv_arena_array(&r->arena, m->n_conflicts + 1, sizeof(*r->left));
	if (!r->left)
		return vv_fail_nomem(err);
	if (m->frame.reason)
		r->left[r->n_left++] = (struct vv_left){
			m->frame.reason == VV_MERGE_WHOLE ? VV_MERGE_FILE_NAME : VV_MERGE_FRAME_NAME, m->frame.reason};
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].reason) {
			const char *name = vv_arena_copy(&r->arena, vv_span_str(m->items[i].name));
			if (!name)
				return vv_fail_nomem(err);
			r->left[r->n_left++] = (struct vv_left){name, m->items[i].reason};
		}
	return 0;
}

/* --- as text --- */

static void quoted(struct vv_buf *out, const char *key, const char *text)
{
	vv_buf_fmt(out, "%s ", key);
	vv_quote(out, vv_span_str(text));
}

int vv_resolution_emit(const struct vv_resolution *r, struct vv_buf *out, struct vv_err *err)
{
	vv_buf_fmt(out, "%s%d\n", head, VV_RESOLUTION);
	quoted(out, "path", r->path);
	vv_buf_fmt(out, "\nbase %s\nours %s\ntheirs %s\nresult %s\n", r->base[0] ? r->base : "-", r->ours, r->theirs, r->result);
	for (size_t i = 0; i < r->rules.n; i++) {
		quoted(out, "rule", r->rules.v[i].pattern);
		quoted(out, "", r->rules.v[i].how);
		vv_buf_char(out, '\n');
	}
	for (size_t i = 0; i < r->n_left; i++) {
		quoted(out, "left", r->left[i].name);
		vv_buf_fmt(out, " %s\n", words[r->left[i].reason]);
	}
	return vv_buf_check(out, err);
}

struct reader {
	struct vv_resolution *r;
	struct vv_cursor c;
	struct vv_span line; /* what is left of it */
	size_t number;
	struct vv_buf word;
	struct vv_err *err;
};

static int wrong(struct reader *rd, const char *what)
{
	return vv_fail(rd->err, VV_EFORMAT, "line %zu: %s", rd->number, what);
}

static int next_line(struct reader *rd)
{
	rd->number++;
	return vv_take_line(&rd->c, &rd->line) ? wrong(rd, "ends early") : 0;
}

/* Is this what the line goes on with? Then past it. */
static bool skip(struct reader *rd, const char *text)
{
	size_t n = strlen(text);

	if (rd->line.len < n || memcmp(rd->line.ptr, text, n) != 0)
		return false;
	rd->line = vv_span(rd->line.ptr + n, rd->line.len - n);
	return true;
}

/* A quoted text without NUL, in rd->word. */
static int unquote(struct reader *rd)
{
	vv_buf_clear(&rd->word);
	if (vv_unquote(&rd->word, &rd->line) || !rd->word.len || memchr(rd->word.ptr, 0, rd->word.len))
		return wrong(rd, "not a quoted name");
	return vv_buf_check(&rd->word, rd->err);
}

static int end(struct reader *rd)
{
	return rd->line.len ? wrong(rd, "goes on behind its end") : 0;
}

static int read_oid(struct reader *rd, const char *key, bool may_lack, char out[VV_OID_HEX_MAX + 1])
{
	int ret = next_line(rd);

	if (ret)
		return ret;
	if (!skip(rd, key))
		return wrong(rd, "not the line that stands here");
	if (may_lack && vv_span_is(rd->line, "-"))
		return 0;
	if (rd->line.len != 40 && rd->line.len != 64)
		return wrong(rd, "not the name of an object");
	for (size_t i = 0; i < rd->line.len; i++)
		if (!memchr("0123456789abcdef", rd->line.ptr[i], 16))
			return wrong(rd, "not the name of an object");
	memcpy(out, rd->line.ptr, rd->line.len);
	out[rd->line.len] = 0;
	return 0;
}

static int read_head(struct reader *rd)
{
	struct vv_resolution *r = rd->r;
	char version[16];
	int ret = next_line(rd);

	if (ret)
		return ret;
	if (!skip(rd, head))
		return wrong(rd, "not the record of a merge");
	snprintf(version, sizeof(version), "%d", VV_RESOLUTION);
	if (!vv_span_is(rd->line, version))
		return vv_fail(rd->err, VV_ENOTSUP, "the record of a merge of another version than %d", VV_RESOLUTION);
	ret = next_line(rd);
	if (!ret && !skip(rd, "path "))
		ret = wrong(rd, "not the line that stands here");
	if (!ret)
		ret = unquote(rd);
	if (!ret)
		ret = end(rd);
	if (!ret && !(r->path = vv_arena_copy(&r->arena, vv_buf_view(&rd->word))))
		ret = vv_fail_nomem(rd->err);
	if (!ret)
		ret = read_oid(rd, "base ", true, r->base);
	if (!ret)
		ret = read_oid(rd, "ours ", false, r->ours);
	if (!ret)
		ret = read_oid(rd, "theirs ", false, r->theirs);
	if (!ret)
		ret = read_oid(rd, "result ", false, r->result);
	return ret;
}

static int read_rule(struct reader *rd)
{
	struct vv_buf pattern = VV_BUF_INIT(VV_MAX_RULE + 1);
	int ret = unquote(rd);

	if (!ret) {
		vv_buf_span(&pattern, vv_buf_view(&rd->word));
		ret = vv_buf_check(&pattern, rd->err);
	}
	if (!ret && !skip(rd, " "))
		ret = wrong(rd, "a rule has two parts");
	if (!ret)
		ret = unquote(rd);
	if (!ret)
		ret = end(rd);
	if (!ret)
		ret = vv_policy_add(&rd->r->rules, vv_buf_view(&pattern), vv_buf_view(&rd->word), rd->err);
	/* What no rule can be is no such text. */
	if (ret == VV_EUSAGE)
		ret = rd->err->code = VV_EFORMAT;
	vv_buf_release(&pattern);
	return ret;
}

static int read_left(struct reader *rd)
{
	struct vv_left *l = &rd->r->left[rd->r->n_left];
	int ret = unquote(rd);

	if (ret)
		return ret;
	if (!skip(rd, " "))
		return wrong(rd, "a conflict has a reason");
	for (enum vv_merge_reason k = VV_MERGE_BOTH_CHANGED; k <= VV_MERGE_WHOLE; k++)
		if (vv_span_is(rd->line, words[k]))
			l->reason = k;
	if (!l->reason)
		return wrong(rd, "not a reason");
	l->name = vv_arena_copy(&rd->r->arena, vv_buf_view(&rd->word));
	rd->r->n_left++;
	return l->name ? 0 : vv_fail_nomem(rd->err);
}

/* Lines that are there: what is made room for was seen. */
static size_t lines_left(const struct vv_cursor *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->left; i++)
		n += c->ptr[i] == '\n';
	return n;
}

int vv_resolution_parse(struct vv_resolution *r, struct vv_span text, struct vv_err *err)
{
	struct reader rd = {.r = r, .c = vv_cursor(text), .word = VV_BUF_INIT(VV_MAX_RULE + 1), .err = err};
	size_t n;
	int ret;

	*r = (struct vv_resolution){.path = NULL};
	ret = read_head(&rd);
	n = lines_left(&rd.c);
	if (!ret && n > VV_MAX_LEFT + (size_t)VV_MAX_RULES)
		ret = vv_fail(err, VV_ELIMIT, "%zu lines are more than a merge has", n);
	if (!ret && !(r->left = vv_arena_array(&r->arena, n + 1, sizeof(*r->left))))
		ret = vv_fail_nomem(err);
	while (!ret && rd.c.left) {
		ret = next_line(&rd);
		if (!ret && !r->n_left && skip(&rd, "rule "))
			ret = read_rule(&rd);
		else if (!ret)
			ret = skip(&rd, "left ") ? read_left(&rd) : wrong(&rd, "not the line that stands here");
	}
	vv_buf_release(&rd.word);
	if (ret)
		vv_resolution_release(r);
	return ret;
}
