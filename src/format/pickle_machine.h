/* The symbolic machine's state. Private to pickle.c, pickle_calls.c and pickle_joblib.c. */
#ifndef VV_FORMAT_PICKLE_MACHINE_H
#define VV_FORMAT_PICKLE_MACHINE_H

#include "base/map.h"
#include "format/pickle.h"
#include "format/pickle_ops.h"

enum { VV_MAX_PICKLE_HOLES = 64 };

struct vv_machine {
	struct vv_pickle *p;
	struct vv_cursor c;
	uint32_t *stack;
	uint32_t n_stack, cap_stack;
	uint32_t marks[VV_MAX_PICKLE_DEPTH]; /* heights of the stack */
	uint32_t n_marks;
	uint32_t *memo;
	uint32_t cap_memo, n_memo;
	struct {
		uint64_t key;
		uint32_t node;
	} far[VV_MAX_PICKLE_HOLES]; /* keys that no pickler counts up to: no reason to lose sight of what they hide */
	uint32_t n_far;
	uint32_t none, yes, no, small[256]; /* shared constants; 0: not made yet */
	bool first_only;   /* what follows the pickle is none of ours */
	bool any;          /* opcodes that the weights-only reader refuses are no reason for having no structure */
	bool arrays;       /* as joblib reads it: an array's bytes lie behind its wrapper */
	bool lost;         /* the stack is not what Python's would be */
	struct vv_err why; /* the first reason for having no structure */
	unsigned nested;   /* pickles in the arguments of a call in a pickle … */
	uint64_t spent;    /* bytes walked in them: a call in a loop may not keep us busy */
	struct vv_map told; /* globals that are findings */
	unsigned untold;
};

/* The first finding of its code, and no structure from here on. */
void vv_machine_stop(struct vv_machine *m, int code, const char *finding, uint32_t off, const char *fmt, ...)
	VV_PRINTF(5, 6);
/* The same, and the stack is not known any more. */
void vv_machine_lose(struct vv_machine *m, uint32_t off, const char *what);
void vv_machine_push(struct vv_machine *m, uint32_t node);
/* 0 and lost when the stack, or its part above the last mark, is empty. */
uint32_t vv_machine_pop(struct vv_machine *m, uint32_t off);
/* How many items lie above the last mark, which goes; they stay, from *first on. -1: there is none. */
int64_t vv_machine_pop_mark(struct vv_machine *m, uint32_t off, uint32_t *first);
/* Runs from start to end; the result is m->why.code. */
int vv_machine_parse(struct vv_machine *m, struct vv_pickle *p, struct vv_span bytes);
/* GLOBAL, REDUCE, BUILD, … */
void vv_machine_call(struct vv_machine *m, const struct vv_op_at *op);
/* Findings of a pickle within, of which only globals matter; `off`: where it begins in this one. */
void vv_machine_take(struct vv_machine *m, const struct vv_pickle *from, uint32_t off);
/* pickle_joblib.c: after BUILD gave `node` its state. Is it an array's wrapper? Steps over what joblib would read. */
void vv_machine_array(struct vv_machine *m, uint32_t node, uint32_t off);
/* A finding for the globals that were too many to name. */
void vv_machine_untold(struct vv_machine *m);

#endif
