#include "blend/policy.h"

#include "model/lineup.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const sides[] = {[VV_MERGE_OURS] = "ours", [VV_MERGE_THEIRS] = "theirs", [VV_MERGE_BASE] = "base"};

/* --- rules --- */

static enum vv_merge_side side_of(struct vv_span name)
{
	enum vv_merge_side s = VV_MERGE_OURS;

	while (s < VV_MERGE_MIXED && !vv_span_is(name, sides[s]))
		s++;
	return s;
}

/* A change of one model to another is what such methods need: theirs to ours. Others with one model have nothing to merge. */
static bool merges_two(const struct vv_blend_method *m)
{
	return m && (m->max != 1 || m->base == VV_BLEND_BASE_APART);
}

bool vv_policy_is_method(struct vv_span name)
{
	return side_of(name) != VV_MERGE_MIXED || merges_two(vv_blend_find(name));
}

/* Moves past the next word and the blanks before it; false at the end. */
static bool next_word(struct vv_span *text, struct vv_span *word)
{
	size_t from = 0, to;

	while (from < text->len && (text->ptr[from] == ' ' || text->ptr[from] == '\t'))
		from++;
	for (to = from; to < text->len && text->ptr[to] != ' ' && text->ptr[to] != '\t';)
		to++;
	*word = vv_span(text->ptr + from, to - from);
	*text = vv_span(text->ptr + to, text->len - to);
	return word->len;
}

static int number(struct vv_span s, const struct vv_blend_param_info *info, double *out, struct vv_err *err)
{
	char text[64], *end = text;
	double v;

	snprintf(text, sizeof(text), "%.*s", (int)(s.len < sizeof(text) ? s.len : 0), (const char *)s.ptr);
	if (info->flag)
		v = !strcmp(text, "true") ? 1 : !strcmp(text, "false") ? 0 : NAN;
	else
		v = text[strspn(text, "0123456789+-.eE")] ? NAN : strtod(text, &end);
	/* NaN compares false. */
	if (!s.len || (!info->flag && (*end || end == text)) || !(v >= info->min && v <= info->max) || isinf(v))
		return vv_fail(err, VV_EUSAGE, "%s: '%.*s' is not %s", info->name, (int)(s.len < 100 ? s.len : 100),
			(const char *)s.ptr, info->flag ? "true or false" : "a number that it takes");
	*out = v;
	return 0;
}

/* A value for both models, or one for ours and one for theirs. */
static int set(struct vv_rule *r, enum vv_blend_param p, struct vv_span value, struct vv_err *err)
{
	const struct vv_blend_param_info *info = &vv_blend_params[p];
	const uint8_t *comma = value.len ? memchr(value.ptr, ',', value.len) : NULL;
	struct vv_span first = vv_span(value.ptr, comma ? (size_t)(comma - value.ptr) : value.len), second = first;
	int ret;

	if (comma)
		second = vv_span(comma + 1, value.len - first.len - 1);
	if (comma && !info->of_model)
		return vv_fail(err, VV_EUSAGE, "%s takes one value", info->name);
	ret = number(first, info, &r->of_model[0][p], err);
	if (!ret)
		ret = number(second, info, &r->of_model[1][p], err);
	r->p[p] = r->of_model[0][p];
	return ret;
}

static int set_seed(struct vv_rule *r, struct vv_span value, struct vv_err *err)
{
	uint64_t seed = 0;

	if (!value.len || value.len > 19)
		return vv_fail(err, VV_EUSAGE, "seed: '%.*s' is not a number", (int)(value.len < 100 ? value.len : 100),
			(const char *)value.ptr);
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return vv_fail(err, VV_EUSAGE, "seed: '%.*s' is not a number", (int)value.len, (const char *)value.ptr);
		seed = seed * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	r->seed = seed;
	return 0;
}

static int set_word(struct vv_rule *r, struct vv_span word, struct vv_err *err)
{
	const uint8_t *eq = memchr(word.ptr, '=', word.len);
	struct vv_span name = vv_span(word.ptr, eq ? (size_t)(eq - word.ptr) : word.len);
	struct vv_span value = eq ? vv_span(eq + 1, word.len - name.len - 1) : vv_span(NULL, 0);
	enum vv_blend_param p = vv_blend_param_find(name);

	if (!eq)
		return vv_fail(err, VV_EUSAGE, "parameters are NAME=VALUE, not '%.*s'", (int)(word.len < 100 ? word.len : 100),
			(const char *)word.ptr);
	if (r->method && vv_span_is(name, "seed"))
		return set_seed(r, value, err);
	if (!r->method || p == VV_BP_COUNT || !(r->method->params >> p & 1))
		return vv_fail(err, VV_EUSAGE, "%s has no parameter '%.*s'", r->method ? r->method->name : sides[r->side],
			(int)(name.len < 100 ? name.len : 100), (const char *)name.ptr);
	return set(r, p, value, err);
}

static int parse_how(struct vv_rule *r, struct vv_err *err)
{
	struct vv_span rest = vv_span_str(r->how), word;
	int ret = 0;

	if (!next_word(&rest, &word) || !vv_policy_is_method(word))
		return vv_fail(err, VV_EUSAGE, "no merge method '%.*s' for two sides; see varve-merge(1)",
			(int)(word.len < 100 ? word.len : 100), (const char *)word.ptr);
	r->side = side_of(word);
	r->method = r->side == VV_MERGE_MIXED ? vv_blend_find(word) : NULL;
	for (enum vv_blend_param p = 0; r->method && p < VV_BP_COUNT; p++)
		r->p[p] = r->of_model[0][p] = r->of_model[1][p] = vv_blend_usual(r->method, p);
	while (!ret && next_word(&rest, &word))
		ret = set_word(r, word, err);
	for (enum vv_blend_param p = 0; r->method && !ret && p < VV_BP_COUNT; p++)
		if (r->method->params >> p & 1 && r->p[p] != r->p[p])
			ret = vv_fail(err, VV_EUSAGE, "%s needs the parameter %s", r->method->name, vv_blend_params[p].name);
	return ret;
}

/* A text that goes into one line of a record: no control characters. */
static bool plain(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
			return false;
	return s.len && s.len <= VV_MAX_RULE;
}

int vv_policy_add(struct vv_policy *p, struct vv_span pattern, struct vv_span how, struct vv_err *err)
{
	struct vv_rule r = {.side = VV_MERGE_OURS}, *v;
	char *file, *parts;
	size_t cap = p->cap ? 2 * p->cap : 8;
	int ret;

	if (p->n == VV_MAX_RULES)
		return vv_fail(err, VV_ELIMIT, "more than %d rules of merging", VV_MAX_RULES);
	if (!plain(pattern) || !plain(how))
		return vv_fail(err, VV_EUSAGE, "a rule of merging is a pattern and a method, each in one line of at most %d bytes",
			VV_MAX_RULE);
	if (p->n == p->cap) {
		v = vv_arena_array(&p->arena, cap, sizeof(*v));
		if (!v)
			return vv_fail_nomem(err);
		if (p->n)
			memcpy(v, p->v, p->n * sizeof(*v));
		p->v = v;
		p->cap = cap;
	}
	r.pattern = vv_arena_copy(&p->arena, pattern);
	r.how = vv_arena_copy(&p->arena, how);
	parts = vv_arena_copy(&p->arena, pattern);
	if (!r.pattern || !r.how || !parts)
		return vv_fail_nomem(err);
	file = strstr(parts, "//");
	r.file = file ? parts : NULL;
	r.tensor = file ? file + 2 : parts;
	if (file)
		*file = 0;
	ret = parse_how(&r, err);
	if (!ret)
		p->v[p->n++] = r;
	return ret;
}

int vv_policy_add_line(struct vv_policy *p, struct vv_span line, struct vv_err *err)
{
	struct vv_span pattern, first, rest;

	if (!next_word(&line, &pattern))
		return vv_fail(err, VV_EUSAGE, "a rule of merging is PATTERN METHOD [NAME=VALUE]..., and is empty here");
	rest = line;
	if (!next_word(&rest, &first))
		return vv_fail(err, VV_EUSAGE, "'%.*s' needs a method behind it", (int)(pattern.len < 100 ? pattern.len : 100),
			(const char *)pattern.ptr);
	return vv_policy_add(p, pattern, vv_span(first.ptr, (size_t)(line.ptr + line.len - first.ptr)), err);
}

void vv_policy_release(struct vv_policy *p)
{
	vv_arena_release(&p->arena);
	*p = (struct vv_policy){.n = 0};
}

/* --- followed --- */

static bool matches(const struct vv_rule *r, const char *path, const char *name)
{
	return (!r->file || !fnmatch(r->file, path, 0)) && !fnmatch(r->tensor, name, 0);
}

static struct vv_blend_in input(const struct vv_merge *m, size_t row, enum vv_merge_side side, const double *p)
{
	const struct vv_place *at = &m->lineup->rows[row].at[side];
	struct vv_blend_in in = {.from = m->sides[side], .seg = at->seg, .view = at->view, .file = sides[side]};

	memcpy(in.p, p, sizeof(in.p));
	return in;
}

/* A type is merged like anything: changed on one side, that; false: changed on both. */
static bool type_of(const struct vv_merge *m, size_t row, enum vv_dtype *to)
{
	const struct vv_lineup_row *r = &m->lineup->rows[row];
	enum vv_dtype dt[3] = {VV_DT_BYTES, VV_DT_BYTES, VV_DT_BYTES};

	for (size_t i = 0; i < 3; i++)
		if (r->at[i].there)
			dt[i] = m->sides[i]->m->segs[r->at[i].seg].seg.dtype;
	*to = dt[VV_MERGE_OURS] == dt[VV_MERGE_BASE] ? dt[VV_MERGE_THEIRS] : dt[VV_MERGE_OURS];
	return dt[VV_MERGE_OURS] == dt[VV_MERGE_THEIRS] || dt[VV_MERGE_OURS] == dt[VV_MERGE_BASE] ||
		dt[VV_MERGE_THEIRS] == dt[VV_MERGE_BASE];
}

/* The tensor of item `i` as the rule makes it, with room for three inputs. VV_ENOTSUP, and the like: it does not fit. */
static int blend_of(const struct vv_rule *r, const struct vv_merge *m, size_t i, struct vv_blend_tensor *t,
	struct vv_blend_in in[3], struct vv_err *err)
{
	const struct vv_lineup_row *row = m->lineup ? &m->lineup->rows[i] : NULL;
	bool apart = r->method->base == VV_BLEND_BASE_APART, of_ours = apart && r->method->max == 1;

	if (!row || !row->at[VV_MERGE_OURS].there || !row->at[VV_MERGE_THEIRS].there ||
		(apart && !of_ours && !row->at[VV_MERGE_BASE].there))
		return vv_fail(err, VV_ENOTSUP, "tensor \"%s\" is not in each version", m->items[i].name);
	*t = (struct vv_blend_tensor){.name = m->items[i].name, .method = r->method, .in = in, .n = of_ours ? 1 : 2,
		.base = apart ? &in[2] : NULL, .seed = r->seed};
	if (!type_of(m, i, &t->to) || !vv_blend_takes(t->to))
		return vv_fail(err, VV_ENOTSUP, "tensor \"%s\" has no type that is merged", m->items[i].name);
	in[0] = input(m, i, of_ours ? VV_MERGE_THEIRS : VV_MERGE_OURS, r->of_model[of_ours]);
	in[1] = input(m, i, VV_MERGE_THEIRS, r->of_model[1]);
	if (apart)
		in[2] = input(m, i, of_ours ? VV_MERGE_OURS : VV_MERGE_BASE, r->of_model[0]);
	memcpy(t->p, r->p, sizeof(t->p));
	return vv_blend_check(t, 1, err);
}

static int fits(const struct vv_rule *r, const struct vv_merge *m, size_t i, bool *yes, struct vv_err *err)
{
	struct vv_blend_tensor t;
	struct vv_blend_in in[3];
	struct vv_err why = VV_ERR_INIT;

	*yes = r->side == VV_MERGE_MIXED ? !blend_of(r, m, i, &t, in, &why) : m->sides[r->side] != NULL;
	return why.code == VV_ENOMEM ? vv_fail_nomem(err) : 0;
}

/* What surrounds the tensors, or a file that is one piece: a side is taken. */
static void apply_frame(const struct vv_policy *p, const char *path, struct vv_merge *m)
{
	bool whole = m->frame.reason == VV_MERGE_WHOLE;
	const char *name = whole ? VV_MERGE_FILE_NAME : VV_MERGE_FRAME_NAME;

	for (size_t k = 0; k < p->n && m->frame.reason; k++) {
		enum vv_merge_side side = p->v[k].side;

		if (side == VV_MERGE_MIXED || !m->sides[side] || (whole && side == VV_MERGE_BASE) || !matches(&p->v[k], path, name))
			continue;
		if (whole)
			m->result = side == VV_MERGE_OURS ? VV_MERGE_IS_OURS : VV_MERGE_IS_THEIRS;
		vv_merge_settle_item(m, &m->frame, side);
		p->v[k].settled++;
	}
}

int vv_policy_apply(
	const struct vv_policy *p, const char *path, struct vv_merge *m, size_t *n, struct vv_err *err)
{
	size_t before = m->n_conflicts;
	bool fit;
	int ret = 0;

	apply_frame(p, path, m);
	for (size_t i = 0; i < m->n; i++)
		for (size_t k = 0; k < p->n && m->items[i].reason && !ret; k++) {
			if (!matches(&p->v[k], path, m->items[i].name))
				continue;
			ret = fits(&p->v[k], m, i, &fit, err);
			if (!ret && fit) {
				vv_merge_settle_item(m, &m->items[i], p->v[k].side);
				m->items[i].mix = k;
				p->v[k].settled++;
			}
		}
	*n = before - m->n_conflicts;
	return ret;
}

size_t vv_policy_mixes(const struct vv_merge *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->items[i].take == VV_MERGE_MIXED;
	return n;
}

int vv_policy_mix(const struct vv_policy *p, const struct vv_merge *m, struct vv_pool *pool, struct vv_sink *out,
	struct vv_err *err)
{
	const struct vv_format *format = vv_format_find(vv_span_str("safetensors"));
	struct vv_buf head = VV_BUF_INIT(VV_MAX_TEXT);
	size_t most = vv_policy_mixes(m), n = 0;
	struct vv_blend_tensor *t = calloc(most + 1, sizeof(*t));
	struct vv_blend_in (*in)[3] = calloc(most + 1, sizeof(*in));
	int ret = t && in ? 0 : vv_fail_nomem(err);

	for (size_t i = 0; i < m->n && !ret; i++)
		if (m->items[i].take == VV_MERGE_MIXED) {
			ret = blend_of(&p->v[m->items[i].mix], m, i, &t[n], in[n], err);
			n++;
		}
	format->empty(&head, NULL);
	if (!ret)
		ret = vv_buf_check(&head, err);
	if (!ret)
		ret = vv_blend_write(t, n, format, vv_buf_view(&head), pool, out, err);
	vv_buf_release(&head);
	free(t);
	free(in);
	return ret;
}

void vv_policy_unmix(struct vv_policy *p, struct vv_merge *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].take == VV_MERGE_MIXED)
			vv_merge_unsettle_item(
				m, &m->items[i], m->lineup->rows[i].at[VV_MERGE_BASE].there ? VV_MERGE_BOTH_CHANGED : VV_MERGE_BOTH_ADDED);
	for (size_t k = 0; k < p->n; k++)
		if (p->v[k].side != VV_MERGE_MIXED || !p->v[k].settled)
			p->v[kept++] = p->v[k];
	p->n = kept;
}
