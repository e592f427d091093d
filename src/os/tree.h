/* All files below a folder, by path, with their stat data: no link is followed, nothing but files is let in. */
#ifndef VV_OS_TREE_H
#define VV_OS_TREE_H

#include "base/arena.h"
#include "base/source.h"

#include <sys/stat.h>

enum { VV_TREE_DEPTH = 128 }; /* folders on the way to a file */

struct vv_tree_stat {
	uint64_t dev, ino, size, mtime_ns, ctime_ns;
};
struct vv_tree_file {
	const char *path; /* below the folder */
	struct vv_tree_stat st;
	bool exec;        /* its owner may run it */
};
struct vv_tree {
	struct vv_arena arena; /* owns the paths */
	struct vv_tree_file *v; /* by path, in byte order */
	size_t n, cap;
};

struct vv_tree_stat vv_tree_stat_of(const struct stat *st);
bool vv_tree_stat_eq(const struct vv_tree_stat *a, const struct vv_tree_stat *b);

/*
 * Lists the folder `root` but for names in `skip` (NULL-terminated) at its top, and drafts. VV_ENOTSUP names
 * what is neither file nor folder, a ".git" (another repository), and a name in `refused` (NULL-terminated) anywhere
 * below the top; VV_ELIMIT: more than `max` files, or too deep.
 */
VV_MUST_CHECK int vv_tree_list(struct vv_tree *t, int root, const char *const *skip, const char *const *refused,
	size_t max, struct vv_err *err);
/* For bsearch: by the paths of two files. */
int vv_tree_by_path(const void *a, const void *b);
void vv_tree_release(struct vv_tree *t);

/*
 * A file of the tree, open for reading, if it is still the one that was listed: VV_ECHANGED otherwise.
 */
struct vv_tree_source {
	struct vv_source base;
	int fd;
	struct vv_tree_stat st;
	const char *path; /* borrowed */
};
VV_MUST_CHECK int vv_tree_open(
	struct vv_tree_source *s, int root, const struct vv_tree_file *f, struct vv_err *err);
/* VV_ECHANGED when it was written to since. */
VV_MUST_CHECK int vv_tree_unchanged(const struct vv_tree_source *s, struct vv_err *err);
void vv_tree_close(struct vv_tree_source *s);

#endif
