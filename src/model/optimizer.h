/* Which optimizer a checkpoint was written with, told by the names of its state tensors. */
#ifndef VV_MODEL_OPTIMIZER_H
#define VV_MODEL_OPTIMIZER_H

#include "base/compiler.h"

enum vv_optimizer_slots {
	VV_OPT_EXP_AVG = 1 << 0,
	VV_OPT_EXP_AVG_SQ = 1 << 1,
	VV_OPT_MAX_SQ = 1 << 2,
	VV_OPT_EXP_INF = 1 << 3,
	VV_OPT_MU_PRODUCT = 1 << 4,
	VV_OPT_MOMENTUM = 1 << 5,
	VV_OPT_SQUARE_AVG = 1 << 6,
	VV_OPT_ACC_DELTA = 1 << 7,
	VV_OPT_SUM = 1 << 8,
	VV_OPT_ROW_COL = 1 << 9,
	VV_OPT_STEP_SIZE = 1 << 10,
	VV_OPT_AX = 1 << 11,
	VV_OPT_OTHER = 1 << 12, /* state, but of no telling kind */
	VV_OPT_CLASS = 1 << 13, /* the first of those whose class is in the name: a bit each, in optimizer.c */
};

/*
 * The bit of a tensor's name; 0 when it is none of an optimizer's. State lies below a component
 * "state" under a name known for it, or anywhere below a component that begins with "optim" (PyTorch, Keras)
 * or is "opt_state" (Optax). Keras has the optimizer's class in the name.
 */
unsigned vv_optimizer_slot(const char *name);
/* What keeps this set of bits; "unknown"; NULL for the empty set. A constant. */
const char *vv_optimizer_name(unsigned set);

#endif
