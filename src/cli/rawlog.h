/* Raw lines of git log, and the shards of one model among those of a commit. */
#ifndef VV_CLI_RAWLOG_H
#define VV_CLI_RAWLOG_H

#include "cli/whole.h"

enum { VV_RAW_SIDES = 66 }; /* parents, and the commit itself */

/*
 * ":<modes> <oids> <status>\t<path>…"; a merge has one more colon, mode and oid for each further parent, and is there only
 * when it differs from all of them.
 */
struct vv_raw {
	size_t parents;
	char *oids[VV_RAW_SIDES]; /* of each parent, then of the commit */
	char *status, *path, *old_path; /* NULL: it had the same */
};
/* Cuts up the line, which must outlive *out. 1: too many parents. */
VV_MUST_CHECK int vv_raw_parse(char *line, struct vv_raw *out, struct vv_err *err);

/* What one commit changed of a model in shards. */
struct vv_shardlog {
	const char *path; /* one of them, from the top */
	char **lines;
	struct vv_raw *raw;
	size_t n, cap;
	struct vv_blobs blobs;
	bool open;
};
/* Takes a copy of a line, if it is of such a shard. */
VV_MUST_CHECK int vv_shardlog_add(struct vv_shardlog *s, const char *line, struct vv_err *err);
/* The changed shards as they are at `side` (as in `oids`), as one model; without a manifest when there is none. */
VV_MUST_CHECK int vv_shardlog_side(struct vv_ctx *ctx, struct vv_shardlog *s, size_t side, struct vv_named *out);
/* Forgets the lines. */
void vv_shardlog_clear(struct vv_shardlog *s);
void vv_shardlog_release(struct vv_shardlog *s);
/* A pathspec for the shards beside `path`, however many there are; owned by the caller. NULL: it is no shard, or no memory. */
char *vv_shardlog_spec(const char *path);

#endif
