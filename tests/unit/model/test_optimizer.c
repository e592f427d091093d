#include "model/optimizer.h"

#include "tap.h"

static const char *name_of(const char *const *names)
{
	unsigned set = 0;

	for (; *names; names++)
		set |= vv_optimizer_slot(*names);
	return vv_optimizer_name(set);
}

#define NAME(...) name_of((const char *const[]){__VA_ARGS__, NULL})

int main(void)
{
	CHECK_STR(NAME("optimizer.state.0.exp_avg", "optimizer.state.0.exp_avg_sq", "optimizer.state.0.step"),
		"Adam or AdamW");
	CHECK_STR(NAME("state.0.exp_avg", "state.0.exp_avg_sq", "state.0.max_exp_avg_sq"),
		"Adam or AdamW (AMSGrad)");
	CHECK_STR(NAME("state.1.exp_avg", "state.1.exp_avg_sq", "state.1.mu_product"), "NAdam");
	CHECK_STR(NAME("state.1.exp_avg", "state.1.exp_inf"), "Adamax");
	CHECK_STR(NAME("optimizer_states/0/state/1/exp_avg"), "Lion");
	CHECK_STR(NAME("optim.state.0.momentum_buffer"), "SGD with momentum");
	CHECK_STR(NAME("state.0.square_avg", "state.0.momentum_buffer"), "RMSprop");
	CHECK_STR(NAME("state.0.square_avg", "state.0.acc_delta"), "Adadelta");
	CHECK_STR(NAME("state.0.sum", "state.0.step"), "Adagrad");
	CHECK_STR(NAME("state.0.exp_avg_sq_row", "state.0.exp_avg_sq_col"), "Adafactor");
	CHECK_STR(NAME("state.0.prev", "state.0.step_size"), "Rprop");
	CHECK_STR(NAME("state.0.ax", "state.0.eta", "state.0.mu"), "ASGD");
	CHECK_STR(NAME("optimizer.state.0.shampoo"), "unknown");
	CHECK_STR(NAME("optimizer_weights/adam/d1_kernel_momentum", "optimizer_weights/adam/d1_kernel_velocity",
		"optimizer_weights/adam/iteration"), "Adam");
	CHECK_STR(NAME("optimizer_weights/sgd/d1_kernel_momentum", "optimizer_weights/sgd/iteration"), "SGD with momentum");
	CHECK_STR(NAME("optimizer_weights/sgd_1/iteration"), "SGD");
	CHECK_STR(NAME("optimizer_weights/rm_sprop/d1_kernel_velocity"), "RMSprop");
	CHECK_STR(NAME("optimizer_weights/adam_w_2/d1_kernel_velocity"), "AdamW");
	CHECK_STR(NAME("optimizer_weights/adadelta/d1_kernel_accumulated_grad"), "Adadelta");
	CHECK_STR(NAME("optimizer_weights/training/Adam/dense/kernel/m:0"), "Adam");
	CHECK_STR(NAME("optimizer_weights/a_name_of_too_many_letters/x"), "unknown");
	CHECK_STR(NAME("optimizer/vars/0", "optimizer/vars/1"), "unknown");
	CHECK_STR(NAME("opt_state/0/mu/Dense_0/bias", "opt_state/0/nu/Dense_0/bias", "opt_state/0/count"), "Adam or AdamW");
	CHECK_STR(NAME("opt_state/0/trace/Dense_0/bias"), "SGD with momentum");
	CHECK_STR(NAME("opt_state/0/mu/Dense_0/bias"), "Lion");
	CHECK_STR(NAME("opt_state/0/nu/Dense_0/bias"), "RMSprop");
	CHECK_STR(NAME("opt_state/0/sum_of_squares/Dense_0/bias"), "Adagrad");
	CHECK_STR(NAME("opt_state/v_row/a", "opt_state/v_col/a"), "Adafactor");
	CHECK(!NAME("layers.0.weight", "sum", "exp_avg", "state", "state.0.weight", "model_state_dict.norm.sum"));
	CHECK(!vv_optimizer_slot(""));
	CHECK(!vv_optimizer_slot("optimizer"));
	CHECK(vv_optimizer_slot("optimizer.param_groups.0.lr") == VV_OPT_OTHER);
	return done();
}
