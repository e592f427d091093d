#include "model/merge.h"

#include "base/map.h"
#include "model/assembly.h"
#include "model/lineup.h"

#include <fnmatch.h>
#include <stdlib.h>

const char *vv_merge_reason_text(enum vv_merge_reason reason)
{
	switch (reason) {
	case VV_MERGE_CLEAN:
		break;
	case VV_MERGE_BOTH_CHANGED:
		return "both sides changed it";
	case VV_MERGE_REMOVED_CHANGED:
		return "removed here, changed there";
	case VV_MERGE_CHANGED_REMOVED:
		return "changed here, removed there";
	case VV_MERGE_BOTH_ADDED:
		return "both sides added it, differently";
	case VV_MERGE_RENAMED:
		return "renamed on one side, renamed otherwise or removed on the other";
	case VV_MERGE_METADATA:
		return "both sides changed the metadata";
	case VV_MERGE_WHOLE:
		return "this file can only be taken as a whole";
	}
	return "no conflict";
}

/* --- tensors --- */

static enum vv_merge_reason conflict_of(const struct vv_lineup_row *row)
{
	if (!row->at[VV_MERGE_BASE].there)
		return VV_MERGE_BOTH_ADDED;
	if (!row->at[VV_MERGE_OURS].there)
		return VV_MERGE_REMOVED_CHANGED;
	if (!row->at[VV_MERGE_THEIRS].there)
		return VV_MERGE_CHANGED_REMOVED;
	return VV_MERGE_BOTH_CHANGED;
}

static struct vv_merge_item decide(const struct vv_lineup *l, size_t row)
{
	bool ours = !vv_lineup_same(l, row, VV_MERGE_BASE, VV_MERGE_OURS);
	bool theirs = !vv_lineup_same(l, row, VV_MERGE_BASE, VV_MERGE_THEIRS);
	struct vv_merge_item it = {.name = l->rows[row].name, .take = VV_MERGE_OURS, .changed = ours || theirs, .row = row};

	if (theirs && !ours)
		it.take = VV_MERGE_THEIRS;
	else if (theirs && !vv_lineup_same(l, row, VV_MERGE_OURS, VV_MERGE_THEIRS))
		it.reason = conflict_of(&l->rows[row]);
	return it;
}

/* --- renamed on one side --- */

static bool new_in(const struct vv_lineup_row *row, size_t side)
{
	return !row->at[VV_MERGE_BASE].there && row->at[side].there;
}

static bool gone_in(const struct vv_lineup_row *row, size_t side)
{
	return row->at[VV_MERGE_BASE].there && !row->at[side].there;
}

static const struct vv_id *id_at(const struct vv_lineup *l, size_t row, size_t v)
{
	const struct vv_manifest_seg *seg;

	vv_lineup_view(l, row, v, &seg);
	return &seg->id;
}

static bool same_at(const struct vv_lineup *l, size_t a, size_t va, size_t b, size_t vb)
{
	const struct vv_manifest_seg *sa, *sb;
	const struct vv_view *x = vv_lineup_view(l, a, va, &sa), *y = vv_lineup_view(l, b, vb, &sb);

	return vv_same_tensor(sa, x, sb, y);
}

/* What each tensor of the base is called on the sides that renamed it: a row there, or NO_ROW. */
struct renames {
	size_t *to[2];
};
#define NO_ROW SIZE_MAX

static void release_renames(struct renames *r)
{
	free(r->to[VV_MERGE_OURS]);
	free(r->to[VV_MERGE_THEIRS]);
}

/*
 * Of the tensors that `side` removed, those that it has by a new name, with the same bytes, if neither name has a rival and
 * the other side does not have that name.
 */
static int find_renames(const struct vv_lineup *l, enum vv_merge_side side, struct renames *r, struct vv_err *err)
{
	enum vv_merge_side other = side == VV_MERGE_OURS ? VV_MERGE_THEIRS : VV_MERGE_OURS;
	struct vv_map added = {0}; /* id → row; NO_ROW: several */
	size_t *claims = calloc(l->n + 1, sizeof(*claims)), *to = calloc(l->n + 1, sizeof(*to));
	int ret = claims && to ? 0 : vv_fail_nomem(err);

	r->to[side] = to;
	for (size_t i = 0; i < l->n && !ret; i++) {
		const struct vv_id *id = new_in(&l->rows[i], side) ? id_at(l, i, side) : NULL;
		bool first = true;
		uint64_t *at = id ? vv_map_put(&added, vv_span(id, sizeof(*id)), i, &first) : NULL;

		if (id && !at)
			ret = vv_fail_nomem(err);
		else if (!first)
			*at = NO_ROW;
	}
	for (size_t i = 0; i < l->n && !ret; i++) {
		const uint64_t *at = gone_in(&l->rows[i], side)
			? vv_map_find(&added, vv_span(id_at(l, i, VV_MERGE_BASE), sizeof(struct vv_id))) : NULL;

		to[i] = NO_ROW;
		if (at && *at != NO_ROW && same_at(l, i, VV_MERGE_BASE, (size_t)*at, side)) {
			to[i] = (size_t)*at;
			claims[*at]++;
		}
	}
	for (size_t i = 0; i < l->n && !ret; i++)
		if (to[i] != NO_ROW && (claims[to[i]] > 1 || l->rows[to[i]].at[other].there))
			to[i] = NO_ROW;
	vv_map_release(&added);
	free(claims);
	return ret;
}

/* Gone from both sides, but for a new name: neither name alone says what became of it. */
static void doubt_renames(struct vv_merge *m, const struct renames *r, size_t row)
{
	vv_merge_unsettle_item(m, &m->items[row], VV_MERGE_RENAMED);
	for (enum vv_merge_side side = VV_MERGE_OURS; side <= VV_MERGE_THEIRS; side++)
		if (r->to[side][row] != NO_ROW)
			vv_merge_unsettle_item(m, &m->items[r->to[side][row]], VV_MERGE_RENAMED);
}

/* What the other side made of a tensor goes where this one renamed it to. */
static void follow_renames(struct vv_merge *m, const struct renames *r)
{
	static const enum vv_merge_reason reasons[] = {[VV_MERGE_OURS] = VV_MERGE_REMOVED_CHANGED,
		[VV_MERGE_THEIRS] = VV_MERGE_CHANGED_REMOVED};

	for (size_t i = 0; i < m->n; i++)
		for (enum vv_merge_side side = VV_MERGE_OURS; side <= VV_MERGE_THEIRS; side++) {
			size_t to = r->to[side][i];

			if (to == NO_ROW)
				continue;
			if (gone_in(&m->lineup->rows[i], VV_MERGE_OURS) && gone_in(&m->lineup->rows[i], VV_MERGE_THEIRS)) {
				doubt_renames(m, r, i);
			} else if (m->items[i].reason == reasons[side]) {
				vv_merge_settle_item(m, &m->items[i], side);
				m->items[to].row = i;
				m->items[to].take = side == VV_MERGE_OURS ? VV_MERGE_THEIRS : VV_MERGE_OURS;
			}
		}
}

static size_t pick_all(struct vv_pick *picks, const struct vv_lineup *l, const struct vv_version *v, size_t side)
{
	size_t n = 0;

	/* In the version's own order, which the lineup keeps for its first column only. */
	for (size_t i = 0; i < l->n; i++)
		if (l->rows[i].at[side].there) {
			const struct vv_place *at = &l->rows[i].at[side];
			picks[at->rank] = (struct vv_pick){v, at->seg, at->view, NULL};
			n++;
		}
	return n;
}

/* --- the bytes around tensors --- */

/* What is packed is a part of the frame: no format packs anew. */
bool vv_merge_is_frame(const struct vv_segment *s)
{
	return !s->n_views || s->coding;
}

static bool same_opaque(const struct vv_manifest *a, const struct vv_manifest *b)
{
	size_t i = 0, j = 0;

	for (;; i++, j++) {
		while (i < a->n_segs && !vv_merge_is_frame(&a->segs[i].seg))
			i++;
		while (j < b->n_segs && !vv_merge_is_frame(&b->segs[j].seg))
			j++;
		if (i == a->n_segs || j == b->n_segs)
			return i == a->n_segs && j == b->n_segs;
		if (!vv_id_eq(&a->segs[i].id, &b->segs[j].id))
			return false;
	}
}

static int hash_assembled(struct vv_id *out, const struct vv_version *skeleton, const struct vv_pick *picks,
	size_t n, struct vv_err *err)
{
	struct vv_hash_sink sink;
	int ret = vv_hash_sink_init(&sink, err);

	if (ret)
		return ret;
	ret = vv_assemble_picks(skeleton, picks, n, &sink.base, err);
	if (!ret)
		vv_sha256_final(&sink.sha, out);
	vv_sha256_release(&sink.sha);
	return ret;
}

/*
 * Do the frames of versions `x` and `y` say the same, apart from what follows from their tensors?
 * Both are asked for a file without any tensor. A format that cannot do that is asked to put y's
 * tensors into x's frame: if that yields y's file, y's frame holds nothing of its own.
 */
static int same_frame(const struct vv_merge *m, size_t x, size_t y, bool *same, struct vv_err *err)
{
	const struct vv_version *vx = m->sides[x], *vy = m->sides[y];
	struct vv_id a, b;
	struct vv_pick *picks;
	int ret;

	*same = same_opaque(vx->m, vy->m);
	if (*same)
		return 0;
	ret = hash_assembled(&a, vx, NULL, 0, err);
	if (!ret)
		ret = hash_assembled(&b, vy, NULL, 0, err);
	if (ret != VV_ENOTSUP) {
		*same = !ret && vv_id_eq(&a, &b);
		return ret;
	}
	vv_err_clear(err);
	picks = calloc(m->lineup->n ? m->lineup->n : 1, sizeof(*picks));
	if (!picks)
		return vv_fail_nomem(err);
	ret = hash_assembled(&a, vx, picks, pick_all(picks, m->lineup, vy, y), err);
	free(picks);
	if (ret == VV_ENOTSUP) {
		/* Cannot be told: the safe answer. */
		vv_err_clear(err);
		ret = 0;
	} else {
		*same = !ret && vv_id_eq(&a, &vy->m->sha256);
	}
	return ret;
}

static int decide_frame(struct vv_merge *m, struct vv_err *err)
{
	bool ours = true, theirs = true, alike = false;
	int ret = 0;

	m->frame = (struct vv_merge_item){.take = VV_MERGE_OURS};
	if (m->sides[VV_MERGE_BASE]) {
		ret = same_frame(m, VV_MERGE_BASE, VV_MERGE_THEIRS, &theirs, err);
		if (ret || theirs)
			return ret;
		ret = same_frame(m, VV_MERGE_BASE, VV_MERGE_OURS, &ours, err);
		if (ret)
			return ret;
		m->frame.changed = true;
		if (ours) {
			m->frame.take = VV_MERGE_THEIRS;
			return 0;
		}
	}
	ret = same_frame(m, VV_MERGE_OURS, VV_MERGE_THEIRS, &alike, err);
	if (!ret && !alike)
		m->frame.reason = VV_MERGE_METADATA;
	return ret;
}

/* --- the plan --- */

static const struct vv_manifest *manifest_of(const struct vv_version *v)
{
	return v ? v->m : NULL;
}

static bool same_file(const struct vv_version *a, const struct vv_version *b)
{
	return a && b && vv_id_eq(&a->m->sha256, &b->m->sha256);
}

static bool mergeable(const struct vv_merge *m)
{
	const char *format = m->sides[VV_MERGE_OURS]->m->format;

	for (size_t i = 0; i < 3; i++)
		if (m->sides[i] && strcmp(m->sides[i]->m->format, format) != 0)
			return false;
	return vv_can_assemble(m->sides[VV_MERGE_OURS]->m);
}

static int plan_tensors(struct vv_merge *m, struct renames *r, struct vv_err *err)
{
	const struct vv_manifest *cols[3];
	int ret;

	for (size_t i = 0; i < 3; i++)
		cols[i] = manifest_of(m->sides[i]);
	m->lineup = calloc(1, sizeof(*m->lineup));
	if (!m->lineup)
		return vv_fail_nomem(err);
	ret = vv_lineup_make(m->lineup, cols, 3, false, err);
	if (ret)
		return ret;
	m->items = calloc(m->lineup->n ? m->lineup->n : 1, sizeof(*m->items));
	if (!m->items)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->lineup->n; i++) {
		m->items[i] = decide(m->lineup, i);
		m->n_conflicts += m->items[i].reason != VV_MERGE_CLEAN;
	}
	m->n = m->lineup->n;
	ret = find_renames(m->lineup, VV_MERGE_OURS, r, err);
	if (!ret)
		ret = find_renames(m->lineup, VV_MERGE_THEIRS, r, err);
	if (!ret) {
		follow_renames(m, r);
		ret = decide_frame(m, err);
	}
	m->n_conflicts += !ret && m->frame.reason != VV_MERGE_CLEAN;
	return ret;
}

int vv_merge_plan(struct vv_merge *out, const struct vv_version *base, const struct vv_version *ours,
	const struct vv_version *theirs, struct vv_err *err)
{
	struct vv_merge m = {.result = VV_MERGE_ASSEMBLED,
		.sides = {[VV_MERGE_OURS] = ours, [VV_MERGE_THEIRS] = theirs, [VV_MERGE_BASE] = base}};
	struct renames renames = {0};
	int ret = 0;

	if (same_file(ours, theirs) || same_file(base, theirs)) {
		m.result = VV_MERGE_IS_OURS;
	} else if (same_file(base, ours)) {
		m.result = VV_MERGE_IS_THEIRS;
	} else if (!mergeable(&m)) {
		m.result = VV_MERGE_IS_OURS;
		m.frame.reason = VV_MERGE_WHOLE;
		m.n_conflicts = 1;
	} else {
		ret = plan_tensors(&m, &renames, err);
	}
	release_renames(&renames);
	if (ret)
		vv_merge_release(&m);
	else
		*out = m;
	return ret;
}

/* Which names the patterns match, and with them those that the same tensor has elsewhere; *n counts the former. */
static int match_names(bool **out, const struct vv_merge *m, const struct renames *r, const char *const *patterns,
	size_t n_patterns, size_t *n, struct vv_err *err)
{
	bool *match = *out = calloc(m->n + 1, sizeof(*match));

	if (!match)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->n; i++) {
		for (size_t k = 0; k < n_patterns && !match[i]; k++)
			match[i] = !fnmatch(patterns[k], m->items[i].name, 0);
		*n += match[i];
	}
	/* A new name belongs to one old one. */
	for (size_t i = 0; i < m->n; i++) {
		size_t a = r->to[VV_MERGE_OURS][i], b = r->to[VV_MERGE_THEIRS][i];
		bool any = match[i] || (a != NO_ROW && match[a]) || (b != NO_ROW && match[b]);

		match[i] = any;
		if (a != NO_ROW)
			match[a] = any;
		if (b != NO_ROW)
			match[b] = any;
	}
	return 0;
}

int vv_merge_plan_some(struct vv_merge *out, const struct vv_version *base, const struct vv_version *ours,
	const struct vv_version *theirs, const char *const *patterns, size_t n, size_t *matched, struct vv_err *err)
{
	struct vv_merge m = {.result = VV_MERGE_ASSEMBLED,
		.sides = {[VV_MERGE_OURS] = ours, [VV_MERGE_THEIRS] = theirs, [VV_MERGE_BASE] = base}};
	struct renames renames = {0};
	bool *match = NULL;
	int ret = mergeable(&m) ? plan_tensors(&m, &renames, err) : vv_fail(err, VV_ENOTSUP, "this file can only be taken as a whole");

	*matched = 0;
	if (!ret)
		ret = match_names(&match, &m, &renames, patterns, n, matched, err);
	for (size_t i = 0; !ret && i < m.n; i++)
		if (!match[i])
			m.items[i] = (struct vv_merge_item){.name = m.items[i].name, .take = VV_MERGE_OURS, .row = i};
	m.frame = (struct vv_merge_item){.take = VV_MERGE_OURS};
	m.n_conflicts = 0;
	for (size_t i = 0; !ret && i < m.n; i++)
		m.n_conflicts += m.items[i].reason != VV_MERGE_CLEAN;
	release_renames(&renames);
	free(match);
	if (ret)
		vv_merge_release(&m);
	else
		*out = m;
	return ret;
}

void vv_merge_release(struct vv_merge *m)
{
	if (m->lineup)
		vv_lineup_release(m->lineup);
	free(m->lineup);
	free(m->items);
	*m = (struct vv_merge){0};
}

/* --- settling and writing --- */

void vv_merge_settle_item(struct vv_merge *m, struct vv_merge_item *it, enum vv_merge_side side)
{
	it->take = side;
	m->n_conflicts -= it->reason != VV_MERGE_CLEAN;
	it->reason = VV_MERGE_CLEAN;
}

void vv_merge_unsettle_item(struct vv_merge *m, struct vv_merge_item *it, enum vv_merge_reason reason)
{
	it->take = VV_MERGE_OURS;
	m->n_conflicts += it->reason == VV_MERGE_CLEAN;
	it->reason = reason;
}

int vv_merge_settle(struct vv_merge *m, const char *pattern, enum vv_merge_side side, size_t *settled,
	struct vv_err *err)
{
	size_t before = m->n_conflicts;

	if (!m->sides[side])
		return vv_fail(err, VV_EUSAGE, "the two sides have no common version to take");
	if (m->frame.reason == VV_MERGE_WHOLE && !pattern) {
		if (side == VV_MERGE_BASE)
			return vv_fail(err, VV_EUSAGE, "a whole file is taken from one of the two sides");
		m->result = side == VV_MERGE_OURS ? VV_MERGE_IS_OURS : VV_MERGE_IS_THEIRS;
	}
	if (m->frame.reason && !pattern)
		vv_merge_settle_item(m, &m->frame, side);
	for (size_t i = 0; i < m->n; i++)
		if (m->items[i].reason && (!pattern || !fnmatch(pattern, m->items[i].name, 0)))
			vv_merge_settle_item(m, &m->items[i], side);
	*settled = before - m->n_conflicts;
	return 0;
}

/* The place a tensor is taken from; NULL when the result does not have it, or it is mixed. */
static const struct vv_place *place_of(const struct vv_merge *m, size_t i)
{
	const struct vv_merge_item *it = &m->items[i];
	const struct vv_place *at = it->take == VV_MERGE_MIXED ? NULL : &m->lineup->rows[it->row].at[it->take];

	return at && at->there ? at : NULL;
}

/* Is what is taken what `side` has by this name? */
static bool is_of(const struct vv_merge *m, size_t i, enum vv_merge_side side)
{
	const struct vv_merge_item *it = &m->items[i];
	const struct vv_place *at = place_of(m, i);

	if (it->take == VV_MERGE_MIXED)
		return false;
	if (!at || !m->lineup->rows[i].at[side].there)
		return !at && !m->lineup->rows[i].at[side].there;
	return same_at(m->lineup, it->row, it->take, i, side);
}

enum vv_merge_result vv_merge_outcome(const struct vv_merge *m)
{
	bool ours = true, theirs = true;

	if (m->result != VV_MERGE_ASSEMBLED)
		return m->result;
	if (!same_opaque(m->sides[VV_MERGE_OURS]->m, m->sides[VV_MERGE_THEIRS]->m)) {
		ours = m->frame.take == VV_MERGE_OURS;
		theirs = m->frame.take == VV_MERGE_THEIRS;
	}
	for (size_t i = 0; i < m->n && (ours || theirs); i++) {
		ours = ours && is_of(m, i, VV_MERGE_OURS);
		theirs = theirs && is_of(m, i, VV_MERGE_THEIRS);
	}
	return ours ? VV_MERGE_IS_OURS : theirs ? VV_MERGE_IS_THEIRS : VV_MERGE_ASSEMBLED;
}

int vv_merge_reads(const struct vv_merge *m, int (*fn)(void *arg, const struct vv_manifest_seg *seg, struct vv_err *err),
	void *arg, struct vv_err *err)
{
	const struct vv_manifest *frame = m->sides[m->frame.take]->m;
	int ret = 0;

	for (size_t i = 0; i < frame->n_segs && !ret; i++)
		if (vv_merge_is_frame(&frame->segs[i].seg))
			ret = fn(arg, &frame->segs[i], err);
	for (size_t i = 0; i < m->n && !ret; i++) {
		const struct vv_merge_item *it = &m->items[i];
		const struct vv_place *at = place_of(m, i);

		if (at)
			ret = fn(arg, &m->sides[it->take]->m->segs[at->seg], err);
		for (size_t k = 0; it->take == VV_MERGE_MIXED && k < 3 && !ret; k++)
			if (m->lineup->rows[i].at[k].there)
				ret = fn(arg, &m->sides[k]->m->segs[m->lineup->rows[i].at[k].seg], err);
	}
	return ret;
}

/* The next of the mixed tensors, which come in the order of items. */
static int next_mixed(const struct vv_merge *m, const char *name, size_t *seg, struct vv_pick *out, struct vv_err *err)
{
	const struct vv_manifest *mixed = m->mixed ? m->mixed->m : NULL;

	while (mixed && *seg < mixed->n_segs && !mixed->segs[*seg].seg.n_views)
		++*seg;
	if (!mixed || *seg == mixed->n_segs || strcmp(mixed->segs[*seg].seg.views[0].name, name) != 0)
		return vv_fail(err, VV_ENOTFOUND, "tensor \"%s\" was not mixed", name);
	*out = (struct vv_pick){m->mixed, (*seg)++, 0, NULL};
	return 0;
}

int vv_merge_write_ours(
	const struct vv_merge *m, int fd, const char *path, struct vv_progress *prog, struct vv_err *err)
{
	struct vv_fd_sink sink;
	struct vv_pick *picks;
	size_t n = 0, mixed = 0;
	int ret = 0;

	if (m->result != VV_MERGE_ASSEMBLED)
		return vv_fail(err, VV_EUSAGE, "%s: one side is the result as it is", path);
	picks = calloc(m->n ? m->n : 1, sizeof(*picks));
	if (!picks)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->n && !ret; i++) {
		const struct vv_merge_item *it = &m->items[i];
		const struct vv_place *at = place_of(m, i);

		if (it->take == VV_MERGE_MIXED)
			ret = next_mixed(m, it->name, &mixed, &picks[n++], err);
		else if (at)
			picks[n++] = (struct vv_pick){m->sides[it->take], at->seg, at->view, it->name};
	}
	vv_fd_sink_init(&sink, fd, path, m->sides[VV_MERGE_OURS]->m->size, prog);
	if (!ret)
		ret = vv_assemble_picks(m->sides[m->frame.take], picks, n, &sink.base, err);
	free(picks);
	return ret;
}

int vv_merge_write(
	const struct vv_merge *m, int fd, const char *path, struct vv_progress *prog, struct vv_err *err)
{
	if (m->n_conflicts)
		return vv_fail(err, VV_ECONFLICT, "%s: %zu conflicts are left", path, m->n_conflicts);
	return vv_merge_write_ours(m, fd, path, prog, err);
}
