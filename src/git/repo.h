/*
 * The git repository around us, driven through the user's own git as a child process: SHA-256
 * repositories, reftable, worktrees and partial clones work because git itself does them.
 */
#ifndef VV_GIT_REPO_H
#define VV_GIT_REPO_H

#include "base/buf.h"
#include "hash/gitoid.h"
#include "os/child.h"
#include "store/store.h"

struct vv_far;

struct vv_repo {
	char *git_dir;    /* absolute; of this worktree */
	char *common_dir; /* absolute; shared by all worktrees */
	char *top;        /* absolute; NULL in a bare repository */
	char *prefix;     /* where we stand below top: "" or "sub/dir/" */
	char *state_dir;  /* <git_dir>/varve: what belongs to this worktree */
	bool sha256;
	struct vv_pool *pool;   /* made on first use */
	struct vv_store *store; /* opened on first use */
	bool store_writable;
	struct vv_far *far;     /* git/far.h: connections */
};

/* VV_EGIT when we are not in a repository. */
VV_MUST_CHECK int vv_repo_open(struct vv_repo *r, struct vv_err *err);
void vv_repo_release(struct vv_repo *r);
/*
 * Opens r->store (its pool, and git's alternates as stores to read from). Made when `create`, unless
 * there was one before: a disk that is not mounted must not look like an empty store.
 */
VV_MUST_CHECK int vv_repo_store(struct vv_repo *r, bool create, struct vv_err *err);
/* Makes one in any case. */
VV_MUST_CHECK int vv_repo_make_store(struct vv_repo *r, struct vv_err *err);
bool vv_repo_has_store(const struct vv_repo *r);
/* Makes r->state_dir, unless the store that should lie there is gone. */
VV_MUST_CHECK int vv_repo_state(const struct vv_repo *r, struct vv_err *err);
VV_MUST_CHECK int vv_repo_pool(struct vv_repo *r, struct vv_err *err);
/* "<top>/<path>", owned by the caller; NULL when memory is gone. */
char *vv_repo_path(const struct vv_repo *r, const char *path);

/*
 * Runs git with these arguments (NULL-terminated) in the top folder, or in the git folder of a bare
 * repository; what it writes is synced. Output goes to `out`, or is dropped when out is NULL.
 * VV_EGIT when it exits nonzero, with what it said.
 */
VV_MUST_CHECK int vv_git(const struct vv_repo *r, struct vv_buf *out, struct vv_err *err, const char *const *args);
/* As above with input, extra environment and the exit status; a nonzero one is not an error. */
VV_MUST_CHECK int vv_git_status(const struct vv_repo *r, const char *const *args, const char *const *env,
	struct vv_span in, struct vv_buf *out, int *status, struct vv_err *err);
/*
 * The line that says why: our own filter's, else git's first "fatal" or "error", else its last. Changes
 * `b`. Borrowed: valid until its next change.
 */
const char *vv_git_said(struct vv_buf *b);
#define VV_GIT(repo, out, err, ...) vv_git((repo), (out), (err), (const char *const[]){__VA_ARGS__, NULL})

/* A line of output, without its LF: owned by the caller. VV_ENOTFOUND when git exits nonzero. */
VV_MUST_CHECK int vv_git_line(const struct vv_repo *r, char **out, struct vv_err *err, const char *const *args);
#define VV_GIT_LINE(repo, out, err, ...)                                                           \
	vv_git_line((repo), (out), (err), (const char *const[]){__VA_ARGS__, NULL})

/* Blobs, through one `git cat-file --batch`. */
struct vv_blobs {
	struct vv_child child;
	const struct vv_repo *repo; /* borrowed */
};
#define VV_BLOBS_INIT {VV_CHILD_INIT, NULL}
VV_MUST_CHECK int vv_blobs_open(struct vv_blobs *b, const struct vv_repo *r, struct vv_err *err);
/* `name`: anything git understands ("HEAD:path", an oid). VV_ENOTFOUND; appends nothing then. */
VV_MUST_CHECK int vv_blobs_get(struct vv_blobs *b, const char *name, struct vv_buf *out, struct vv_err *err);
void vv_blobs_close(struct vv_blobs *b);

/* One entry of the index. */
struct vv_entry {
	unsigned mode;
	int stage; /* 0, or 1 base, 2 ours, 3 theirs */
	char oid[VV_OID_HEX_MAX + 1];
	char *path;
};
struct vv_entries {
	struct vv_entry *v;
	size_t n;
};
/* The index's entries that varve keeps (attribute filter=varve), below `paths` (NULL: all). */
VV_MUST_CHECK int vv_tracked(
	const struct vv_repo *r, const char *const *paths, struct vv_entries *out, struct vv_err *err);
void vv_entries_release(struct vv_entries *e);
/*
 * Asks of each of these NUL-separated paths, in their order, whether varve keeps files there. `format`
 * is then the manifest format that its attributes ask for, as git prints it; otherwise NULL.
 */
VV_MUST_CHECK int vv_kept_each(const struct vv_repo *r, struct vv_span paths,
	int (*fn)(void *arg, const char *path, const char *format, struct vv_err *err), void *arg, struct vv_err *err);

#endif
