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

/* What Keras and Optax keep. Optax' "mu" is PyTorch's exp_avg; that of its ASGD is a number. */
static const struct {
	const char *name;
	unsigned bit;
} below[] = {
	{"mu", VV_OPT_EXP_AVG},
	{"nu", VV_OPT_EXP_AVG_SQ},
	{"nu_max", VV_OPT_MAX_SQ},
	{"trace", VV_OPT_MOMENTUM},
	{"v_row", VV_OPT_ROW_COL},
	{"v_col", VV_OPT_ROW_COL},
	{"sum_of_squares", VV_OPT_SUM},
};

/* Classes of Keras, less case and '_', and a number behind. That of a class is VV_OPT_CLASS << its place. */
static const struct {
	const char *word, *name;
} classes[] = {{"adam", "Adam"}, {"adamw", "AdamW"}, {"adamax", "Adamax"}, {"nadam", "NAdam"}, {"rmsprop", "RMSprop"},
	{"adagrad", "Adagrad"}, {"adadelta", "Adadelta"}, {"adafactor", "Adafactor"}, {"ftrl", "Ftrl"}, {"lion", "Lion"},
	{"lamb", "LAMB"}, {"muon", "Muon"}, {"sgd", "SGD"}};

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
	{VV_OPT_EXP_AVG_SQ, "RMSprop"},
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

/* "rm_sprop_1" is class "rmsprop". 0: no class. */
static unsigned class_bit(struct vv_span part)
{
	char word[16];
	size_t n = 0;

	for (size_t i = 0; i < part.len; i++) {
		char c = (char)part.ptr[i];

		if (c == '_')
			continue;
		if (n == sizeof(word))
			return 0;
		word[n++] = c >= 'A' && c <= 'Z' ? (char)(c | 32) : c;
	}
	while (n && word[n - 1] >= '0' && word[n - 1] <= '9')
		n--;
	for (unsigned i = 0; i < VV_COUNT(classes); i++)
		if (vv_span_is(vv_span(word, n), classes[i].word))
			return (unsigned)VV_OPT_CLASS << i;
	return 0;
}

static bool ends(struct vv_span s, const char *word)
{
	size_t n = strlen(word);

	return s.len >= n && !memcmp(s.ptr + s.len - n, word, n);
}

/* What a component says, which is not the last, below one that says "optimizer". */
static unsigned inner_bit(struct vv_span part)
{
	for (size_t i = 0; i < VV_COUNT(below); i++)
		if (vv_span_is(part, below[i].name))
			return below[i].bit;
	return class_bit(part);
}

unsigned vv_optimizer_slot(const char *name)
{
	struct vv_span part = {0};
	bool state = false, optimizer = false;
	unsigned bit = 0, inner = 0;

	while (next_part(&name, &part)) {
		if (!name)
			break;
		if (optimizer)
			inner |= inner_bit(part);
		state |= vv_span_is(part, "state");
		optimizer |= vv_span_starts(part, "optim") || vv_span_is(part, "opt_state");
	}
	for (size_t i = 0; i < VV_COUNT(slots) && !bit; i++)
		if (vv_span_is(part, slots[i].name))
			bit = slots[i].bit;
	/* Keras writes "sgd/kernel_momentum"; other classes of its have a momentum by nature. */
	if (inner == class_bit(vv_span_str("sgd")) && ends(part, "_momentum"))
		bit = VV_OPT_MOMENTUM;
	/* A model may well have a layer "state", but then its tensors have other names. */
	if (optimizer)
		return bit | inner ? bit | inner : VV_OPT_OTHER;
	return state ? bit : 0;
}

const char *vv_optimizer_name(unsigned set)
{
	for (size_t i = 0; i < VV_COUNT(optimizers); i++)
		if ((set & optimizers[i].need) == optimizers[i].need)
			return optimizers[i].name;
	for (size_t i = 0; i < VV_COUNT(classes); i++)
		if (set & (unsigned)VV_OPT_CLASS << i)
			return classes[i].name;
	return set ? "unknown" : NULL;
}
