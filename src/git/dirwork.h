/*
 * A tracked directory whose files are being brought to a manifest: what the steps of that (deciding, writing, taking up one
 * that was cut short) share. For dirsync.c, dirwrite.c and dirresume.c alone.
 */
#ifndef VV_GIT_DIRWORK_H
#define VV_GIT_DIRWORK_H

#include "base/map.h"
#include "git/dirsync.h"
#include "os/place.h"

/* A file to write. */
struct vv_dirwrite {
	size_t file;      /* of the manifest */
	bool replaces;
	struct stat seen; /* what stands there, if it does */
};

struct vv_dirwork {
	struct vv_repo *repo;
	struct vv_sync_report *report;
	const char *dir;
	int fd;                         /* of the directory */
	int drafts;
	unsigned flags;
	const struct vv_manifest *old;  /* may be NULL */
	const struct vv_tree_stat *was; /* by file of `old` */
	const struct vv_manifest *m;
	struct vv_tree_stat *now;       /* by file of `m` */
	struct vv_dirwrite *writes;     /* what is to be written */
	size_t n_writes, cap_writes, left;
	bool failed;                    /* something that ought to have been done could not be */
	struct vv_place folder;         /* the last one that was opened: paths come sorted */
	char *folder_path;
	char *emptied;                  /* the folder that a file was removed from last */
	struct vv_map gits;             /* files that git tracks by now, with the directory's path, from the list */
	struct vv_buf gits_list;
};
/* Borrows all of it. */
struct vv_dirwork vv_dirwork(
	struct vv_repo *r, const char *dir, const struct vv_manifest *m, struct vv_sync_report *report, unsigned flags);
/* Opens the directory and the place for drafts; `root` is the open top folder. */
VV_MUST_CHECK int vv_dirwork_open(struct vv_dirwork *w, int root, struct vv_err *err);
void vv_dirwork_release(struct vv_dirwork *w);

/* A file that stays as it is since it is the user's, and why. */
void vv_dirwork_leave(struct vv_dirwork *w, const char *path, const char *why);
/* One that stays though it is not: all will be done anew. */
void vv_dirwork_failed(struct vv_dirwork *w, const char *path, const char *why);

/* As vv_place_open, but the folder stays open for the next: *place is borrowed until then. */
VV_MUST_CHECK int vv_dirwork_place(struct vv_dirwork *w, const char *path, struct vv_place *place, struct vv_err *err);
/* The folder that is open may be gone by now. */
void vv_dirwork_forget_folder(struct vv_dirwork *w);

enum vv_standing { VV_FILE_THERE, VV_NOTHING, VV_IN_THE_WAY, VV_UNKNOWN };
enum vv_standing vv_dirwork_look(struct vv_dirwork *w, const char *path, struct stat *st);
bool vv_dirwork_same(const struct vv_manifest_file *a, const struct vv_manifest_file *b);
bool vv_dirwork_mode_is(const struct stat *st, const struct vv_manifest_file *f);
/* Is the file that stands there this one? By its bytes. */
bool vv_dirwork_is_file(struct vv_dirwork *w, const struct vv_manifest_file *f, const struct stat *st);
bool vv_dirwork_is_stored(const struct vv_dirwork *w, const struct vv_manifest *m, const struct vv_manifest_file *f);

/* What the files were last brought to, if anything is known: w->old is borrowed from `old`, which is released in any case. */
VV_MUST_CHECK int vv_dirwork_known(struct vv_dirwork *w, struct vv_dirstate *old, struct vv_err *err);
/* Of all that is to be written: gets what is missing, and writes what can be had. What cannot is told. */
VV_MUST_CHECK int vv_dirwork_write(struct vv_dirwork *w, struct vv_err *err);
/*
 * A sync was cut short: some files are of the version that it was to bring. Makes that mixture what is known from here on.
 */
VV_MUST_CHECK int vv_dirwork_resume(struct vv_repo *r, int root, const char *dir, struct vv_err *err);

#endif
