/* Shared by fsck.c and repair.c only. */
#ifndef VV_STORE_FSCK_H
#define VV_STORE_FSCK_H

#include "store/internal.h"

/* One pack file. */
struct fsck_file {
	struct pack *pack; /* NULL: cannot be opened */
	char *path;        /* when it cannot */
	struct vv_id name;
	bool trashed, damaged, moved;
	char *why;         /* owned; NULL: nothing is wrong with the file as such */
};

/* A record that did not verify. */
struct fsck_fault {
	size_t file, entry;
	struct entry e;
	bool dependent;   /* what it is made of is damaged; its own record may be right */
	bool repaired, asked;
	struct vv_id needs;
	char *why;        /* owned; NULL past FAULT_TEXTS */
	const char *from; /* where the bytes came from */
};

struct fsck {
	struct vv_store *store;
	const struct vv_fsck_report *report;
	struct vv_fsck_stats *stats;
	struct vv_progress *prog;
	struct scratch **scratch;
	struct fsck_file *files;
	size_t n_files, cap_files;
	/* the batch that runs */
	struct { size_t file, entry; } *jobs;
	size_t n_jobs, cap_jobs;
	pthread_mutex_t lock;
	struct fsck_fault *faults; /* under lock */
	size_t n_faults, cap_faults;
	uint64_t total, done;
	struct pack_writer writer;
	size_t found; /* objects in packs without a footer */
	size_t left;  /* records there that do not decode */
};

/* The copy that a pack's entry is. */
VV_MUST_CHECK int fsck_entry(struct fsck *f, struct pack *p, size_t entry, unsigned worker, struct vv_err *err);
/* Is there a copy that can be read? */
bool fsck_readable(struct fsck *f, const struct vv_id *id);
/* Holding the gc lock. */
VV_MUST_CHECK int fsck_repair(struct fsck *f, struct vv_err *err);

#endif
