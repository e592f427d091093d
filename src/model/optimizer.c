/* Optimizers, told by the names of the state they keep. */
#include "model/optimizer.h"

#include "base/span.h"

/* What each kind of optimizer keeps, as bits of a set. The names are those of PyTorch's optimizers. */
static const struct {
	const char *name;
	unsigned bit;
} slots[] = {
	{"exp_avg", VV_OPT_EXP_AVG},
	{"exp_avg_sq", VV_OPT_EXP_AVG_SQ},
	{"max_exp_avg_sq", VV_OPT_MAX_SQ},
	{"exp_inf", VV_OPT_EXP_INF},
	{"mu_product", VV_OPT_MU_PRODUCT},
	{"momentum_buffer", VV_OPT_MOMENTUM},
	{"square_avg", VV_OPT_SQUARE_AVG},
	{"acc_delta", VV_OPT_ACC_DELTA},
	{"sum", VV_OPT_SUM},
	{"exp_avg_sq_row", VV_OPT_ROW_COL},
	{"exp_avg_sq_col", VV_OPT_ROW_COL},
	{"row_var", VV_OPT_ROW_COL},
	{"col_var", VV_OPT_ROW_COL},
	{"step_size", VV_OPT_STEP_SIZE},
	{"ax", VV_OPT_AX},
	{"step", VV_OPT_OTHER},
	{"grad_avg", VV_OPT_OTHER},
	{"prev", VV_OPT_OTHER},
	{"eta", VV_OPT_OTHER},
	{"mu", VV_OPT_OTHER},
};

/* The first whose state was all seen: what keeps more stands before what keeps less. */
static const struct {
	unsigned need;
	const char *name;
} optimizers[] = {
	{VV_OPT_EXP_AVG | VV_OPT_EXP_AVG_SQ | VV_OPT_MAX_SQ, "Adam or AdamW (AMSGrad)"},
	{VV_OPT_EXP_AVG | VV_OPT_EXP_AVG_SQ | VV_OPT_MU_PRODUCT, "NAdam"},
	{VV_OPT_EXP_AVG | VV_OPT_EXP_AVG_SQ, "Adam or AdamW"},
	{VV_OPT_EXP_AVG | VV_OPT_EXP_INF, "Adamax"},
	{VV_OPT_ROW_COL, "Adafactor"},
	{VV_OPT_EXP_AVG, "Lion"},
	{VV_OPT_SQUARE_AVG | VV_OPT_ACC_DELTA, "Adadelta"},
	{VV_OPT_SQUARE_AVG, "RMSprop"},
	{VV_OPT_STEP_SIZE, "Rprop"},
	{VV_OPT_AX, "ASGD"},
	{VV_OPT_MOMENTUM, "SGD with momentum"},
	{VV_OPT_SUM, "Adagrad"},
};

static bool separates(char c)
{
	return c == '.' || c == '/';
}

/* Moves past one component of the name; false at its end. */
static bool next_part(const char **name, struct vv_span *part)
{
	const char *p = *name;

	if (!p)
		return false;
	while (*p && !separates(*p))
		p++;
	*part = vv_span(*name, (size_t)(p - *name));
	*name = *p ? p + 1 : NULL;
	return true;
}

unsigned vv_optimizer_slot(const char *name)
{
	struct vv_span part = {0};
	bool state = false, optimizer = false;
	unsigned bit = 0;

	while (next_part(&name, &part)) {
		if (!name)
			break;
		state |= vv_span_is(part, "state");
		optimizer |= vv_span_starts(part, "optim");
	}
	for (size_t i = 0; i < VV_COUNT(slots) && !bit; i++)
		if (vv_span_is(part, slots[i].name))
			bit = slots[i].bit;
	/* A model may well have a layer "state", but then its tensors have other names. */
	if (optimizer)
		return bit ? bit : VV_OPT_OTHER;
	return state ? bit : 0;
}

const char *vv_optimizer_name(unsigned set)
{
	for (size_t i = 0; i < VV_COUNT(optimizers); i++)
		if ((set & optimizers[i].need) == optimizers[i].need)
			return optimizers[i].name;
	return set ? "unknown" : NULL;
}
