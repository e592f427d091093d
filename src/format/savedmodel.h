/* What a graph of TensorFlow would do besides computing. */
#ifndef VV_FORMAT_SAVEDMODEL_H
#define VV_FORMAT_SAVEDMODEL_H

#include "format/format.h"

struct vv_savedmodel {
	/* For each operation that reaches files, the network or Python, once: its name, and where it stands first. */
	void (*op)(void *ctx, const char *name, uint64_t off);
	void *ctx;
	uint64_t nodes; /* operations that were seen, in all */
};
/*
 * Walks the file as a SavedModel, as a MetaGraphDef and as a GraphDef: what it is, whoever loads it decides. VV_EFORMAT,
 * VV_ELIMIT: it breaks off behind nodes that were seen. A file that is none of them has no nodes, and that is no error.
 */
VV_MUST_CHECK int vv_savedmodel_walk(struct vv_savedmodel *s, const struct vv_source *src, struct vv_err *err);
/* Does TensorFlow's operation of that name reach files, the network or Python, whatever its attributes are? */
bool vv_savedmodel_reaches(const char *op);

#endif
