/* Tensors as a tree, as the '/' in their names part groups: for writers of formats that have such. */
#ifndef VV_FORMAT_NAMETREE_H
#define VV_FORMAT_NAMETREE_H

#include "base/map.h"
#include "format/format.h"

/* A group, or a tensor. */
struct vv_name_node {
	struct vv_span name;        /* in its group; borrowed from the part's */
	const struct vv_part *part; /* NULL: a group */
	size_t group;               /* that it is in */
	size_t first, last, next;   /* members and their chain; 0, which is the root, ends it */
	size_t n;                   /* members */
	uint64_t addr, data;        /* for the writer */
};

/* A zeroed one is empty. The root is node 0; groups come before their members, members as the parts do. */
struct vv_nametree {
	struct vv_name_node *nodes;
	size_t n, cap;
	struct vv_map paths; /* → index */
};

/*
 * Borrows the parts. VV_ENOTSUP, in the name of `format`: a name with an empty component, more than `levels` groups in
 * each other, a tensor within a tensor. Released by the caller in any case.
 */
VV_MUST_CHECK int vv_nametree_make(struct vv_nametree *t, const char *format, unsigned levels,
	const struct vv_part *parts, size_t n, struct vv_err *err);
void vv_nametree_release(struct vv_nametree *t);

#endif
