/*
 * Where a parser's bytes come from and where an assembler's bytes go: a file, memory, a version in
 * the store. A parser cannot open anything by itself.
 */
#ifndef VV_BASE_SOURCE_H
#define VV_BASE_SOURCE_H

#include "base/err.h"
#include "base/span.h"

struct vv_source {
	uint64_t size; /* bytes */
	/* Fills exactly `len` bytes at `off`, or fails. Called from several threads at once. */
	int (*read_at)(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err);
};

/* Checks the range against `size` before it asks the slot: VV_EFORMAT names the range. */
VV_MUST_CHECK int vv_source_read(
	const struct vv_source *src, uint64_t off, void *dst, size_t len, struct vv_err *err);

/* Memory as a source. The span is borrowed. */
struct vv_source_mem {
	struct vv_source base;
	struct vv_span data;
};
void vv_source_mem_init(struct vv_source_mem *m, struct vv_span data);

struct vv_sink {
	/* Takes all of `data` or fails; called in order by one thread. */
	int (*write)(struct vv_sink *self, struct vv_span data, struct vv_err *err);
};
/* Passes `len` bytes at `off` on, a piece at a time. */
VV_MUST_CHECK int vv_source_copy(
	const struct vv_source *src, uint64_t off, uint64_t len, struct vv_sink *out, struct vv_err *err);

#endif
