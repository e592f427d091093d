/*
 * The commands. To add one: a cmd_x.c with its option table and usage, a row in main.c's table, a
 * page docs/man/varve-x.1, and a test in tests/cli. Help, completions and the man synopsis are checked
 * against the table.
 */
#ifndef VV_CLI_CLI_H
#define VV_CLI_CLI_H

#include "base/progress.h"
#include "git/repo.h"

#include <jansson.h>
#include <stdio.h>

/* As git: scripts may rely on them. */
enum vv_exit {
	VV_EXIT_OK = 0,
	VV_EXIT_NO = 1,      /* differs, has findings, has conflicts, is not so */
	VV_EXIT_ERROR = 128, /* one line on standard error says what */
	VV_EXIT_USAGE = 129,
	VV_EXIT_PIPE = 141,  /* nobody reads standard output any more */
};

enum vv_cmd_flags {
	VV_CMD_REPO = 1,     /* needs a repository: ctx->repo is open */
	VV_CMD_WORKTREE = 2, /* and a worktree */
	VV_CMD_STORE = 4,    /* and the store, open; it must exist */
	VV_CMD_HIDDEN = 8,   /* called by git, not by people */
};

struct vv_ctx {
	struct vv_repo repo;
	struct vv_progress *progress; /* NULL when standard error is no terminal, or --quiet */
	const struct vv_cmd *cmd;
	bool help;  /* --help: vv_opt_parse prints it, nothing was opened */
	bool json;  /* --json: data is one JSON value on standard output, an error too */
	bool quiet; /* --quiet */
	bool color; /* standard output is a terminal and NO_COLOR is not set */
	bool outline; /* vv_named_open: of files outside of worktrees an outline is enough (vv_model_outline) */
	struct vv_err err;
	char hint[256]; /* shown after the error */
};

struct vv_cmd {
	const char *name;
	/*
	 * Returns an exit status, or a negative vv_code with ctx->err filled. argv[0] is the name. Unless
	 * it is hidden it calls vv_opt_parse before anything else, and stops when that is not 0.
	 */
	int (*fn)(struct vv_ctx *ctx, int argc, char **argv);
	unsigned flags;
	const char *group;   /* heading in help */
	const char *summary; /* half a line */
	const char *usage;   /* what follows the name: "[--json] REV -- FILE" */
};
extern const struct vv_cmd vv_cmds[]; /* ends with a NULL name */

enum vv_opt_kind { VV_OPT_FLAG, VV_OPT_TEXT, VV_OPT_COUNT, VV_OPT_LIST };
struct vv_opt_list {
	const char **v; /* NULL-terminated; owned, the words are argv's */
	size_t n;
};
struct vv_opt {
	char letter;      /* 0: none */
	const char *name; /* "json" for --json; NULL ends the table */
	enum vv_opt_kind kind;
	void *value;      /* bool *, const char **, uint64_t *, struct vv_opt_list * */
	const char *arg;  /* "REV" for help; NULL for a flag */
	const char *help;
};
/*
 * Takes the options of the table (may be NULL) and --json, --quiet, --help, which every command has,
 * out of argv; what is left is *argc words from argv[0] on. A word "--" ends options: it is removed,
 * and *dashdash (may be NULL) is the number of words before it, the name not counted, or -1.
 * VV_EUSAGE; or 1: help was printed.
 */
VV_MUST_CHECK int vv_opt_parse(
	struct vv_ctx *ctx, const struct vv_opt *opts, int *argc, char **argv, int *dashdash);
/* Prints what `varve CMD --help` prints. */
void vv_opt_help(FILE *to, const struct vv_cmd *cmd, const struct vv_opt *opts);

/* --- output (cli/out.c) --- */
/* Dumps and frees it. */
void vv_print_json(json_t *value);
/* A name from a file as a JSON string: bytes that are not UTF-8 are escaped as vv_safe does. New. */
json_t *vv_json_name(const char *name);
json_t *vv_json_shape(const uint64_t *shape, unsigned ndim);
/* A number that may be infinite or none: those are null. New. */
json_t *vv_json_real(double v);
/* "12.3 MB" in powers of 1000, as df -H and cloud bills do. `text` holds 32 bytes; returns it. */
char *vv_human(uint64_t bytes, char *text);
/* "1,234,567" */
char *vv_grouped(uint64_t n, char *text);
/* "[256,768]" */
char *vv_shape_text(const uint64_t *shape, unsigned ndim, char *text, size_t cap);
/* A name as it may be shown on a terminal; owned by the caller. */
char *vv_safe(const char *name);
/* Pads to `width` columns, counting characters; a longer text stays whole. */
void vv_put_padded(const char *text, size_t width);
/* Columns a text takes: its characters. */
size_t vv_columns(const char *text);
/* One line on standard error, "varve: <text>": control characters and the like are escaped. */
void vv_say(const char *text);
/* A hint on standard error, as git gives them; nothing with --quiet or --json. After an error it follows that. */
void vv_hint(struct vv_ctx *ctx, const char *fmt, ...) VV_PRINTF(2, 3);
/* Shows the hint that was kept. */
void vv_hint_kept(const struct vv_ctx *ctx);
/* A warning line on standard error, escaped as vv_say does. */
void vv_warn(const char *fmt, ...) VV_PRINTF(1, 2);
enum vv_color { VV_PLAIN, VV_GREEN, VV_RED, VV_YELLOW, VV_CYAN, VV_BOLD, VV_DIM };
/* The escape sequence that begins it, "" without colour; VV_PLAIN ends. */
const char *vv_color(const struct vv_ctx *ctx, enum vv_color c);
/* The bar of this terminal; one per process. */
struct vv_progress *vv_progress_bar(void);
void vv_progress_end(void);

/* --- shared by commands (cli/paths.c) --- */
/* A path as typed in this folder, relative to the top; owned by the caller. VV_EUSAGE when outside. */
VV_MUST_CHECK int vv_top_path(struct vv_ctx *ctx, const char *path, char **out);
/* The same for NULL-terminated words; free with vv_paths_free. */
VV_MUST_CHECK int vv_top_paths(struct vv_ctx *ctx, char *const *words, char ***out);
void vv_paths_free(char **paths);
/*
 * The manifest of a model: "REV:path" (as git reads it: from the top, or from here when it begins with
 * "./"; what is not at the top is looked for here), ":path" (the index), "path" (the worktree: its index
 * blob when unchanged, else hashed without storing), or a plain file outside of git. A hashed one has
 * `file` open on it: its bytes may not be in the store. A tracked directory is its manifest, as it was added last; a file in
 * one is found too, in a version or in the worktree.
 */
struct vv_manifest;
struct vv_file;
struct vv_whole;
struct vv_named {
	struct vv_manifest *manifest; /* owned */
	struct vv_manifest *dir;      /* the directory that it is a file of, which it borrows from; owned; mostly NULL */
	struct vv_file *file;         /* owned; NULL when the store has the bytes */
	char *path;                   /* relative to the top, or as given */
	char *rev;                    /* as for vv_named_at; NULL: a file on disk */
	char oid[VV_OID_HEX_MAX + 1]; /* of the manifest blob; "" when there is none */
	bool outside;                 /* path is as given: it lies in no worktree */
	bool outline;                 /* the manifest lacks ids: ctx->outline */
	struct vv_whole *whole;       /* owned; several files: `manifest` is then its (cli/whole.h) */
};
VV_MUST_CHECK int vv_named_open(struct vv_ctx *ctx, const char *name, struct vv_named *out);
/* The version of the worktree file `path` (relative to the top) at `rev` (NULL: worktree; "": index). */
VV_MUST_CHECK int vv_named_at(struct vv_ctx *ctx, const char *rev, const char *path, struct vv_named *out);
/* The manifest blob `oid`, said to be the file `path`. */
VV_MUST_CHECK int vv_named_blob(struct vv_ctx *ctx, const char *oid, const char *path, struct vv_named *out);
void vv_named_release(struct vv_named *n);

/* --- revisions (cli/revs.c) --- */
/* The commit that a revision names, in full; owned by the caller. VV_ENOTFOUND names the revision. */
VV_MUST_CHECK int vv_rev_commit(struct vv_ctx *ctx, const char *rev, char **oid);
/* The same for a tree: of a commit, or one in it ("REV:folder"). */
VV_MUST_CHECK int vv_rev_tree(struct vv_ctx *ctx, const char *rev, char **oid);
/* How many digits of a commit's name to show. */
VV_MUST_CHECK int vv_rev_short(struct vv_ctx *ctx, int *len);

/* The commands themselves. */
int cmd_add(struct vv_ctx *ctx, int argc, char **argv);
int cmd_archive(struct vv_ctx *ctx, int argc, char **argv);
int cmd_bisect(struct vv_ctx *ctx, int argc, char **argv);
int cmd_bisect_step(struct vv_ctx *ctx, int argc, char **argv);
int cmd_blame(struct vv_ctx *ctx, int argc, char **argv);
int cmd_cat(struct vv_ctx *ctx, int argc, char **argv);
int cmd_checkout(struct vv_ctx *ctx, int argc, char **argv);
int cmd_clean(struct vv_ctx *ctx, int argc, char **argv);
int cmd_convert(struct vv_ctx *ctx, int argc, char **argv);
int cmd_diff(struct vv_ctx *ctx, int argc, char **argv);
int cmd_doctor(struct vv_ctx *ctx, int argc, char **argv);
int cmd_du(struct vv_ctx *ctx, int argc, char **argv);
int cmd_fsck(struct vv_ctx *ctx, int argc, char **argv);
int cmd_gc(struct vv_ctx *ctx, int argc, char **argv);
int cmd_help(struct vv_ctx *ctx, int argc, char **argv);
int cmd_hook(struct vv_ctx *ctx, int argc, char **argv);
int cmd_hook_wait(struct vv_ctx *ctx, int argc, char **argv);
int cmd_init(struct vv_ctx *ctx, int argc, char **argv);
int cmd_leave(struct vv_ctx *ctx, int argc, char **argv);
int cmd_list(struct vv_ctx *ctx, int argc, char **argv);
int cmd_log(struct vv_ctx *ctx, int argc, char **argv);
int cmd_measure(struct vv_ctx *ctx, int argc, char **argv);
int cmd_merge(struct vv_ctx *ctx, int argc, char **argv);
int cmd_merge_driver(struct vv_ctx *ctx, int argc, char **argv);
int cmd_resolve(struct vv_ctx *ctx, int argc, char **argv);
int cmd_restore(struct vv_ctx *ctx, int argc, char **argv);
int cmd_revert(struct vv_ctx *ctx, int argc, char **argv);
int cmd_serve_store(struct vv_ctx *ctx, int argc, char **argv);
int cmd_scan(struct vv_ctx *ctx, int argc, char **argv);
int cmd_show(struct vv_ctx *ctx, int argc, char **argv);
int cmd_smudge(struct vv_ctx *ctx, int argc, char **argv);
int cmd_status(struct vv_ctx *ctx, int argc, char **argv);
int cmd_track(struct vv_ctx *ctx, int argc, char **argv);
int cmd_untrack(struct vv_ctx *ctx, int argc, char **argv);
int cmd_version(struct vv_ctx *ctx, int argc, char **argv);

#endif
