#include "format/keras_config.h"

#include "graphs.h"

static struct vv_err err;

static void test_golden(void)
{
	check_graph(__FILE__, "hdf5", "two.keras", "keras");
	check_graph(__FILE__, "hdf5", "line.keras", "keras");
}

/* The lines of a configuration's graph. */
static void check(const char *text, const char *want)
{
	struct vv_buf have = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g = {0};
	int ret = vv_keras_config(&g, vv_span_str(text), &err);

	CHECK_OK(ret, &err);
	graph_lines(&have, "", &g);
	CHECK_STR((const char *)have.ptr, want);
	vv_graph_release(&g);
	vv_buf_release(&have);
}

/* What versions before 3 wrote. */
static void test_old(void)
{
	check("{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"Dense\", \"config\": {\"name\": \"d\", "
	      "\"batch_input_shape\": [null, 2], \"dtype\": \"float32\", \"activation\": \"linear\"}},"
	      "{\"class_name\": \"Activation\", \"config\": {\"name\": \"a\", \"activation\": \"tanh\"}}]}",
		"\tinput\td\tf32\t[?,2]\n\toutput\ta\t-\t-\n\tnode\t0\tDense\t-\td\t\t\n\tnode\t0\tActivation\ttanh\ta\t\t\n"
		"\tfact\tclass\tSequential\n");
	check("{\"class_name\":\"Model\",\"config\":{\"name\":\"m\",\"layers\":[{\"name\":\"i\",\"class_name\":\"InputLayer\","
	      "\"config\":{\"batch_input_shape\":[-1,1.5],\"dtype\":\"string\"},\"inbound_nodes\":[]},{\"name\":\"x\","
	      "\"class_name\":\"Add\",\"config\":{},\"inbound_nodes\":[[[\"i\",0,0,{}],[\"i\",0,0,{\"y\":[\"j\",0,0]}]]]}],"
	      "\"input_layers\":[[\"i\",0,0]],\"output_layers\":[[\"x\",0,0],[\"i\",0,0]]}}",
		"\tinput\ti\tstring\t[?,?]\n\toutput\tx\t-\t-\n\toutput\ti\t-\t-\n\tnode\t0\tInputLayer\t-\ti\t\t\n"
		"\tnode\t0\tAdd\t-\tx\ti,i\t\n\tfact\tclass\tModel\n\tfact\tname\tm\n");
}

static void test_activations(void)
{
	check("{\"config\":{\"layers\":[{\"class_name\":\"A\",\"config\":{\"name\":\"a\",\"activation\":{\"class_name\":"
	      "\"function\",\"config\":\"mine\",\"registered_name\":\"mine\"}}},{\"class_name\":\"B\",\"config\":{\"name\":\"b\","
	      "\"activation\":{\"class_name\":\"ReLU\",\"config\":{\"name\":\"r\"}}}},{\"class_name\":\"ReLU\",\"config\":"
	      "{\"name\":\"c\",\"activation\":null}}]}}",
		"\toutput\tc\t-\t-\n\tnode\t0\tA\tmine\ta\t\t\n\tnode\t0\tB\tReLU\tb\t\t\n\tnode\t0\tReLU\tReLU\tc\t\t\n");
}

static void test_details(void)
{
	static const char text[] = "{\"config\":{\"layers\":[{\"class_name\":\"Conv2D\",\"config\":{\"filters\":32,"
		"\"kernel_size\":[3,\n 3],\"strides\":{\"a\":1},\"rate\":0.5,\"units\":\"many\",\"pool_size\":["
		"1000000000000000000000000000000,1000000000000000000000000000000,1000000000000000000000000]}}]}}";
	struct vv_graph g = {0};

	CHECK_OK(vv_keras_config(&g, vv_span_str(text), &err), &err);
	CHECK_STR(g.nodes[0].detail, "filters 32, kernel_size [3,3], rate 0.5");
	vv_graph_release(&g);
}

static void optimizer(const char *text, const char *want)
{
	struct vv_graph g = {0};

	CHECK_OK(vv_keras_training(&g, vv_span_str(text), &err), &err);
	CHECK_STR(g.optimizer ? g.optimizer : "none", want);
	vv_graph_release(&g);
}

static void test_optimizer(void)
{
	optimizer("{\"optimizer_config\": {\"class_name\": \"Adam\", \"config\": {\"lr\": 0.0010000000474974513}}}",
		"Adam (lr 0.001)");
	optimizer("{\"optimizer_config\": {\"class_name\": \"SGD\", \"config\": {\"momentum\": 0.0, \"learning_rate\": {}}}}", "SGD");
	optimizer("{\"optimizer_config\": \"adam\"}", "adam");
	optimizer("{\"optimizer_config\": {\"class_name\": 3}}", "none");
	optimizer("{\"loss\": NaN}", "none");
	check("{\"compile_config\":{\"optimizer\":{\"class_name\":\"Lion\",\"config\":null}}}", "\toptimizer\tLion\n");
}

static void test_subclassed(void)
{
	check("{\"module\":null,\"class_name\":\"Mine\",\"config\":{\"width\":3}}", "\tfact\tclass\tMine\n");
}

static void test_bad(void)
{
	static const char *const bad[] = {"", "[]", "{", "{\"config\":{\"layers\":[1]}}", "{\"config\":{\"layers\":[{},",
		"{\"class_name\":\"\\ud800\"}", "{\"config\":{\"layers\":[{\"config\":{\"name\":\"\\u0000\"}}]}}",
		"{\"compile_config\":{\"optimizer\":{\"class_name\":\"A\",}}}", "{\"a\":1}{"};
	struct vv_graph g = {0};

	for (size_t i = 0; i < VV_COUNT(bad); i++) {
		int ret = vv_keras_config(&g, vv_span_str(bad[i]), &err);
		tap_ok(i == VV_COUNT(bad) - 1 ? !ret : ret == VV_EFORMAT, bad[i], __FILE__, __LINE__);
		vv_graph_release(&g);
	}
	CHECK(vv_keras_version(&g, vv_span_str("no"), &err) == VV_EFORMAT);
	CHECK(vv_keras_training(&g, vv_span_str("no"), &err) == VV_EFORMAT);
	vv_graph_release(&g);
}

/* Models in models, inputs and dimensions without end. */
static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_graph g = {0};

	for (unsigned n = 0; n < 20; n++)
		vv_buf_str(&b, n % 2 ? "{\"config\":{\"layer\":" : "{\"config\":{\"layers\":[");
	vv_buf_str(&b, "{}");
	for (unsigned n = 20; n-- > 0;)
		vv_buf_str(&b, n % 2 ? "}}" : "]}}");
	CHECK(vv_keras_config(&g, vv_buf_view(&b), &err) == VV_ELIMIT && strstr(err.msg, "16 deep"));
	vv_graph_release(&g);
	vv_buf_clear(&b);
	vv_buf_str(&b, "{\"config\":{\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"batch_shape\":[0");
	for (unsigned n = 0; n < VV_MAX_GRAPH_DIMS; n++)
		vv_buf_str(&b, ",1");
	vv_buf_str(&b, "]}}]}}");
	CHECK(vv_keras_config(&g, vv_buf_view(&b), &err) == VV_ELIMIT && strstr(err.msg, "64 dimensions"));
	vv_graph_release(&g);
	vv_buf_clear(&b);
	vv_buf_str(&b, "{\"config\":{\"output_layers\":[");
	for (unsigned n = 0; n < 1001; n++)
		vv_buf_str(&b, n ? ",[\"a\",0]" : "[\"a\",0]");
	vv_buf_str(&b, "]}}");
	CHECK(vv_keras_config(&g, vv_buf_view(&b), &err) == VV_ELIMIT && strstr(err.msg, "1000 inputs"));
	vv_graph_release(&g);
	vv_buf_clear(&b);
	vv_buf_str(&b, "{\"config\":{\"output_layers\":");
	for (unsigned n = 0; n < 30; n++)
		vv_buf_str(&b, "[");
	vv_buf_str(&b, "[\"a\",0]");
	for (unsigned n = 0; n < 30; n++)
		vv_buf_str(&b, "]");
	vv_buf_str(&b, "}}");
	CHECK(!vv_keras_config(&g, vv_buf_view(&b), &err) && !g.n_outputs);
	vv_graph_release(&g);
	vv_buf_release(&b);
}

int main(void)
{
	test_golden();
	test_old();
	test_activations();
	test_details();
	test_optimizer();
	test_subclassed();
	test_bad();
	test_limits();
	return done();
}
