/*
 * Putting the worktree in step: wherever git left a manifest's text, the model itself is written,
 * and the index is told, so that git status stays clean and reads nothing.
 */
#ifndef VV_GIT_SYNC_H
#define VV_GIT_SYNC_H

#include "git/repo.h"

#include <sys/stat.h>

struct vv_sync_report {
	/* A file that stays a manifest, and why. May be NULL. */
	void (*left)(void *arg, const char *path, const struct vv_err *why);
	/* A tracked directory, or a file of one, that is not as its manifest says, and why. May be NULL. */
	void (*kept)(void *arg, const char *path, const struct vv_err *why);
	void *arg;
	struct vv_progress *prog;
	unsigned dir_flags;     /* of vv_dirsync */
	size_t written, left_n; /* models; what stays as it is */
	size_t files, removed;  /* of directories */
	uint64_t bytes;
};

/*
 * All tracked files below `paths` (relative to the top; NULL: all), and files that git does not track:
 * those of `others` (NUL-ended names), and those that its filter was called for. Where the manifest of a directory
 * stands its files are brought to it, where one has gone they go. A file that cannot be written
 * (objects missing, a hand-merged text, no room) stays as it is and is reported; the others are
 * written all the same. Fails only when the work itself cannot be done.
 */
VV_MUST_CHECK int vv_sync(
	struct vv_repo *r, const char *const *paths, struct vv_span others, struct vv_sync_report *report, struct vv_err *err);

/*
 * Tells the index that these worktree files are clean versions of what it holds, without reading
 * them: their stat data must be in the stat cache. `paths` is NUL-separated.
 */
VV_MUST_CHECK int vv_refresh_index(const struct vv_repo *r, struct vv_span paths, struct vv_err *err);

/*
 * Writes one manifest's model to `place`, replacing what is there if that is still `expected`. `in_index`:
 * the index has this very version, so the file is dated back a little: git re-reads, at every status, a
 * file that is as young as its index. Any other version is dated now, for git compares whole seconds
 * and must not take it for the one it has.
 */
struct vv_manifest;
struct vv_place;
struct vv_draft;
/* VV_EIO when the disk of an open file has less left. */
VV_MUST_CHECK int vv_have_room(int fd, uint64_t size, struct vv_err *err);
VV_MUST_CHECK int vv_write_model(struct vv_repo *r, const struct vv_manifest *m, const struct vv_place *place,
	const char *path, bool in_index, const struct stat *expected, struct stat *st, struct vv_progress *prog, struct vv_err *err);
/* A draft for the place, in the git folder when that is on the same file system. */
VV_MUST_CHECK int vv_draft_begin(
	struct vv_repo *r, const struct vv_place *place, struct vv_draft *d, struct vv_err *err);

#endif
