/*
 * Three-way merge of models, tensor by tensor. A plan is made from the manifests (and, where both
 * sides changed the bytes around the tensors, from those bytes); the caller may settle conflicts in
 * it; writing it streams the merged file.
 */
#ifndef VV_MODEL_MERGE_H
#define VV_MODEL_MERGE_H

#include "model/model.h"

/* MIXED: a tensor that was made of several, in a version of its own. */
enum vv_merge_side { VV_MERGE_OURS, VV_MERGE_THEIRS, VV_MERGE_BASE, VV_MERGE_MIXED };

enum vv_merge_reason {
	VV_MERGE_CLEAN = 0,
	VV_MERGE_BOTH_CHANGED,    /* in different ways */
	VV_MERGE_REMOVED_CHANGED, /* ours removed it, theirs changed it */
	VV_MERGE_CHANGED_REMOVED, /* ours changed it, theirs removed it */
	VV_MERGE_BOTH_ADDED,      /* in different ways */
	VV_MERGE_RENAMED,         /* a side renamed it, the other did so otherwise or removed it: told of the old and the new names */
	VV_MERGE_METADATA,        /* both changed what surrounds the tensors, in different ways */
	VV_MERGE_WHOLE,           /* the file's format, or this pair of formats, merges only as a whole */
};
/* "both sides changed it", …: one line for people. */
const char *vv_merge_reason_text(enum vv_merge_reason reason);

/* What becomes of one tensor, or (name NULL) of the bytes around them, or of the file. */
struct vv_merge_item {
	const char *name;            /* borrowed from a manifest */
	enum vv_merge_side take;     /* in a conflict: ours, until it is settled */
	enum vv_merge_reason reason; /* VV_MERGE_CLEAN: no conflict, or settled */
	bool changed;                /* the result differs from the base here */
	size_t row;                  /* of the lineup, whose tensor is taken: of its old name when the other side renamed it */
	size_t mix;                  /* VV_MERGE_MIXED: whatever the caller calls it by */
};

enum vv_merge_result {
	VV_MERGE_IS_OURS,    /* the result is that side's manifest, verbatim */
	VV_MERGE_IS_THEIRS,
	VV_MERGE_ASSEMBLED,  /* vv_merge_write makes it */
};

struct vv_merge {
	enum vv_merge_result result;
	struct vv_merge_item frame;  /* the bytes around the tensors */
	struct vv_merge_item *items; /* every tensor of any side, in the result's order */
	size_t n;
	size_t n_conflicts;          /* frame and items */
	const struct vv_version *sides[3]; /* by vv_merge_side; borrowed; base may be NULL */
	const struct vv_version *mixed;    /* has the mixed tensors and no others, in the order of items; borrowed */
	struct vv_lineup *lineup;
};

/*
 * Per tensor: changed on one side only, take that; changed alike, take it; else a conflict. One that a
 * side renamed, its bytes as they were, is what the other side made of it, under the new name; removing
 * it, or another new name, is a conflict. The
 * bytes around the tensors are the format's business as far as they follow from the tensors; what
 * else they hold (metadata) merges as one piece. `base` is NULL when there is none: what both have
 * and differs is then added by both. Versions are borrowed until the release.
 */
VV_MUST_CHECK int vv_merge_plan(struct vv_merge *out, const struct vv_version *base,
	const struct vv_version *ours, const struct vv_version *theirs, struct vv_err *err);
/*
 * The same for those tensors alone that have a name, in any version, which matches one of the patterns (fnmatch): all else,
 * the bytes around them too, is ours. *matched counts such names. VV_ENOTSUP: these merge only as a whole.
 */
VV_MUST_CHECK int vv_merge_plan_some(struct vv_merge *out, const struct vv_version *base, const struct vv_version *ours,
	const struct vv_version *theirs, const char *const *patterns, size_t n, size_t *matched, struct vv_err *err);
void vv_merge_release(struct vv_merge *m);
/*
 * Settles conflicts in favour of a side: tensors whose names match the pattern (fnmatch); NULL: all
 * that is left, the frame and whole-file conflicts too. *settled counts them.
 */
VV_MUST_CHECK int vv_merge_settle(struct vv_merge *m, const char *pattern, enum vv_merge_side side,
	size_t *settled, struct vv_err *err);
/* One item: takes it from a side, or leaves it a conflict again. */
void vv_merge_settle_item(struct vv_merge *m, struct vv_merge_item *it, enum vv_merge_side side);
void vv_merge_unsettle_item(struct vv_merge *m, struct vv_merge_item *it, enum vv_merge_reason reason);
/* What the result is by now: a side as it is, when all is taken from there. Conflicts count as ours. */
enum vv_merge_result vv_merge_outcome(const struct vv_merge *m);
/*
 * Calls fn with each segment that writing reads, of the version it is in; one may come several times. Those of `mixed`
 * do not come: what they are made of does, of all sides.
 */
VV_MUST_CHECK int vv_merge_reads(const struct vv_merge *m,
	int (*fn)(void *arg, const struct vv_manifest_seg *seg, struct vv_err *err), void *arg, struct vv_err *err);
/* Is the segment one of the bytes around tensors? Planning reads no others, if the format can tell them apart. */
bool vv_merge_is_frame(const struct vv_segment *s);
/* Writes the merged file to `fd`, which is empty; what is left of conflicts as ours. */
VV_MUST_CHECK int vv_merge_write_ours(
	const struct vv_merge *m, int fd, const char *path, struct vv_progress *prog, struct vv_err *err);
/* The same. VV_ECONFLICT while conflicts are left. */
VV_MUST_CHECK int vv_merge_write(
	const struct vv_merge *m, int fd, const char *path, struct vv_progress *prog, struct vv_err *err);

#endif
