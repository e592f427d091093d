/*
 * Sorted tables of strings in the form of LevelDB, as TensorFlow writes the index of a checkpoint:
 * blocks of entries whose keys share beginnings, one block that says where the others are, a footer.
 */
#ifndef VV_FORMAT_SSTABLE_H
#define VV_FORMAT_SSTABLE_H

#include "base/err.h"
#include "base/source.h"

enum { VV_SSTABLE_KEY = 8192 }; /* bytes of the longest key that is taken */

/*
 * Calls `entry` for each, in the order of their keys, each once. `key` and `value` are borrowed for the call; `off`
 * is where the value stands in the file. A failure of `entry` ends it. VV_EFORMAT: no such table, or a broken one, by
 * the checksums too; compressed blocks. VV_ELIMIT: a key or a block is too long.
 */
VV_MUST_CHECK int vv_sstable_each(const struct vv_source *src,
	int (*entry)(void *arg, struct vv_span key, struct vv_span value, uint64_t off, struct vv_err *err), void *arg,
	struct vv_err *err);

#endif
