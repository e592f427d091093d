#include "format/keras_config.h"

#include "format/jsonscan.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_SOURCES = 1000, MAX_NUMBER = 64 };

/* What Keras calls "linear" is none. */
static const char *const layer_activations[] = {"ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"};

/* Members of a layer's configuration that say how large it is. */
static const char *const sizes[] = {"units", "filters", "kernel_size", "pool_size", "strides", "input_dim", "output_dim",
	"num_heads", "key_dim", "rate"};

struct reader {
	struct vv_graph *g;
	struct vv_buf text; /* the string that was read last */
	const char **sources; /* of a layer's inputs, or the model's inputs or outputs */
	size_t n_sources, cap_sources;
	const char *last;   /* name of the last layer of the model itself */
	struct vv_err *err;
};

static int bad(struct reader *r)
{
	return vv_fail(r->err, VV_EFORMAT, "the configuration is no such JSON as Keras writes");
}

/* --- values --- */

static bool is_string(struct vv_span raw)
{
	return raw.len && *raw.ptr == '"';
}

static bool is_object(struct vv_span raw)
{
	return raw.len && *raw.ptr == '{';
}

static bool is_array(struct vv_span raw)
{
	return raw.len && *raw.ptr == '[';
}

static bool is_number(struct vv_span raw)
{
	return raw.len && (*raw.ptr == '-' || (*raw.ptr >= '0' && *raw.ptr <= '9'));
}

/* The string's own text; empty for what is none. */
static int decode(struct reader *r, struct vv_span raw, struct vv_span *out)
{
	struct vv_json j = {raw, 0};

	vv_buf_clear(&r->text);
	if (is_string(raw) && vv_json_string(&j, &r->text))
		return r->text.failed ? vv_buf_check(&r->text, r->err) : bad(r);
	*out = vv_buf_view(&r->text);
	return 0;
}

static int read_text(struct reader *r, struct vv_span raw, const char **out)
{
	struct vv_span text;
	int ret = decode(r, raw, &text);

	return ret ? ret : vv_graph_text(r->g, text, out, r->err);
}

static int pick(struct reader *r, struct vv_span object, const char *const *keys, struct vv_span *out, size_t n)
{
	return vv_json_pick(object, keys, out, n) ? bad(r) : 0;
}

/* The next item of an array: 1 when there is none. */
static int next_item(struct reader *r, struct vv_json *j, size_t *n, struct vv_span *item)
{
	int ret = vv_json_item(j, n);

	if (ret == VV_JSON_END)
		return 1;
	return ret || vv_json_value(j, item) ? bad(r) : 0;
}

/* What stands for a thing: its name, or an object with its class. Functions of the user have a name as configuration. */
static int read_class(struct reader *r, struct vv_span raw, const char **out)
{
	static const char *const keys[] = {"class_name", "config", "registered_name"};
	struct vv_span v[VV_COUNT(keys)], name = raw;
	int ret = 0;

	if (is_object(raw)) {
		ret = pick(r, raw, keys, v, VV_COUNT(keys));
		name = v[0];
		if (!ret)
			ret = decode(r, v[0], &raw);
		if (!ret && vv_span_is(raw, "function") && is_string(v[1]))
			name = v[1];
	}
	return ret ? ret : read_text(r, name, out);
}

/* --- inputs and outputs --- */

static int add_source(struct reader *r, struct vv_span raw)
{
	size_t cap = r->cap_sources ? r->cap_sources * 2 : 16;

	if (r->n_sources == MAX_SOURCES)
		return vv_fail(r->err, VV_ELIMIT, "a layer with more than %d inputs", MAX_SOURCES);
	if (r->n_sources == r->cap_sources) {
		const char **p = realloc(r->sources, cap * sizeof(*p));
		if (!p)
			return vv_fail_nomem(r->err);
		r->sources = p;
		r->cap_sources = cap;
	}
	return read_text(r, raw, &r->sources[r->n_sources++]);
}

static int find_sources(struct reader *r, struct vv_span raw, unsigned depth);

/* ["layer", 0, 0], or a list of things. */
static int sources_in_array(struct reader *r, struct vv_span raw, unsigned depth)
{
	struct vv_json j = {raw, 0};
	struct vv_span item, first = {0};
	size_t n = 0;
	int ret;

	while (!(ret = next_item(r, &j, &n, &item))) {
		if (n == 1 && is_string(item))
			first = item;
		else if (n == 2 && first.len && is_number(item))
			return add_source(r, first);
		else
			ret = find_sources(r, item, depth + 1);
		if (ret)
			break;
	}
	return ret < 0 ? ret : 0;
}

/* Wherever layers are named that something comes from; each version of Keras writes its own nests of them. */
static int find_sources(struct reader *r, struct vv_span raw, unsigned depth)
{
	static const char *const keys[] = {"keras_history"};
	struct vv_json j = {raw, 0};
	struct vv_span value;
	size_t n = 0;
	int ret = 0;

	if (depth == VV_MAX_GRAPH_DEPTH)
		return 0;
	if (is_array(raw))
		return sources_in_array(r, raw, depth);
	if (!is_object(raw))
		return 0;
	ret = pick(r, raw, keys, &value, 1);
	if (ret || value.len)
		return ret ? ret : sources_in_array(r, value, depth);
	while (!ret && !(ret = vv_json_member(&j, &n, &r->text)))
		ret = vv_json_value(&j, &value) ? bad(r) : find_sources(r, value, depth + 1);
	return ret == VV_JSON_END ? 0 : ret < 0 ? ret : bad(r);
}

static int keep_sources(struct reader *r, const char *const **out, unsigned *n)
{
	const char **list = vv_arena_array(&r->g->arena, r->n_sources, sizeof(*list));

	if (!list)
		return vv_fail_nomem(r->err);
	if (r->n_sources)
		memcpy(list, r->sources, r->n_sources * sizeof(*list));
	*out = list;
	*n = (unsigned)r->n_sources;
	return 0;
}

/* [null, 28, 28, 1]: what is no number is not fixed. */
static int read_shape(struct reader *r, struct vv_span raw, struct vv_graph_value *v)
{
	struct vv_graph_dim dims[VV_MAX_GRAPH_DIMS], *kept;
	struct vv_json j = {raw, 0};
	struct vv_span item;
	size_t n = 0;
	int ret;

	while (!(ret = next_item(r, &j, &n, &item))) {
		struct vv_json number = {item, 0};

		if (n > VV_MAX_GRAPH_DIMS)
			return vv_fail(r->err, VV_ELIMIT, "an input of more than %d dimensions", VV_MAX_GRAPH_DIMS);
		dims[n - 1] = (struct vv_graph_dim){.symbol = NULL};
		if (vv_json_u64(&number, &dims[n - 1].size))
			dims[n - 1].symbol = "?";
	}
	if (ret < 0)
		return ret;
	kept = vv_arena_array(&r->g->arena, n, sizeof(*kept));
	if (!kept)
		return vv_fail_nomem(r->err);
	memcpy(kept, dims, n * sizeof(*kept));
	v->ranked = true;
	v->ndim = (unsigned)n;
	v->dims = kept;
	return 0;
}

/* varve's word for a type of Keras', which a policy may stand for. */
static int read_dtype(struct reader *r, struct vv_span raw, const char **out)
{
	static const char *const config[] = {"config"}, *const name[] = {"name"};
	static const struct {
		const char *keras, *ours;
	} words[] = {{"float32", "f32"}, {"float16", "f16"}, {"bfloat16", "bf16"}, {"float64", "f64"}, {"int8", "i8"},
		{"int16", "i16"}, {"int32", "i32"}, {"int64", "i64"}, {"uint8", "u8"}, {"uint16", "u16"}, {"uint32", "u32"},
		{"uint64", "u64"}};
	struct vv_span text;
	int ret = 0;

	if (is_object(raw))
		ret = pick(r, raw, config, &raw, 1);
	if (!ret && is_object(raw))
		ret = pick(r, raw, name, &raw, 1);
	if (!ret)
		ret = decode(r, raw, &text);
	for (size_t i = 0; i < VV_COUNT(words) && !ret; i++)
		if (vv_span_is(text, words[i].keras)) {
			*out = words[i].ours;
			return 0;
		}
	return ret || !text.len ? ret : vv_graph_text(r->g, text, out, r->err);
}

/* --- layers --- */

enum { C_NAME, C_ACTIVATION, C_LAYERS, C_LAYER, C_SHAPE, C_OLD_SHAPE, C_DTYPE, C_SIZES, C_COUNT = C_SIZES + VV_COUNT(sizes) };

static int read_config(struct reader *r, struct vv_span config, struct vv_span *v)
{
	const char *keys[C_COUNT] = {"name", "activation", "layers", "layer", "batch_shape", "batch_input_shape", "dtype"};

	memset(v, 0, C_COUNT * sizeof(*v));
	memcpy(keys + C_SIZES, sizes, sizeof(sizes));
	return is_object(config) ? pick(r, config, keys, v, C_COUNT) : 0;
}

/* A number, or numbers in brackets, less white space; anything else is left out. */
static void put_size(struct vv_buf *out, const char *key, struct vv_span raw)
{
	char text[MAX_NUMBER];
	size_t n = 0;

	for (size_t i = 0; i < raw.len; i++) {
		char c = (char)raw.ptr[i];

		if (c == ' ' || c == '\n' || c == '\t' || c == '\r')
			continue;
		if (n == sizeof(text) || !strchr("0123456789.eE+-,[]", c))
			return;
		text[n++] = c;
	}
	if (n)
		vv_buf_fmt(out, "%s%s %.*s", out->len ? ", " : "", key, (int)n, text);
}

static int read_sizes(struct reader *r, const struct vv_span *v, const char **out)
{
	struct vv_buf detail = VV_BUF_INIT(VV_MAX_TEXT);
	int ret;

	for (size_t i = 0; i < VV_COUNT(sizes); i++)
		put_size(&detail, sizes[i], v[C_SIZES + i]);
	ret = vv_buf_check(&detail, r->err);
	if (!ret && detail.len)
		ret = vv_graph_text(r->g, vv_buf_view(&detail), out, r->err);
	vv_buf_release(&detail);
	return ret;
}

static int read_activation(struct reader *r, struct vv_span raw, struct vv_graph_node *n)
{
	int ret = raw.len ? read_class(r, raw, &n->activation) : 0;

	if (n->activation && (!*n->activation || !strcmp(n->activation, "linear")))
		n->activation = NULL;
	for (size_t i = 0; i < VV_COUNT(layer_activations) && !ret && !n->activation; i++)
		if (!strcmp(n->op, layer_activations[i]))
			n->activation = n->op;
	return ret;
}

static int add_input(struct reader *r, const char *name, const struct vv_span *v)
{
	struct vv_span shape = v[C_SHAPE].len ? v[C_SHAPE] : v[C_OLD_SHAPE];
	struct vv_graph_value value = {.name = name};
	int ret = is_array(shape) ? read_shape(r, shape, &value) : 0;

	if (!ret)
		ret = read_dtype(r, v[C_DTYPE], &value.dtype);
	return ret ? ret : vv_graph_add_value(r->g, false, &value, r->err);
}

static int read_layers(struct reader *r, struct vv_span layers, unsigned depth);

static int read_layer(struct reader *r, struct vv_span raw, unsigned depth)
{
	enum { CLASS, CONFIG, NAME, INBOUND, N };
	static const char *const keys[] = {"class_name", "config", "name", "inbound_nodes"};
	struct vv_graph_node n = {.depth = depth};
	struct vv_span v[N], c[C_COUNT];
	int ret = is_object(raw) ? pick(r, raw, keys, v, N) : bad(r);

	if (!ret)
		ret = read_config(r, v[CONFIG], c);
	if (!ret)
		ret = read_text(r, v[CLASS], &n.op);
	if (!ret)
		ret = read_text(r, c[C_NAME].len ? c[C_NAME] : v[NAME], &n.name);
	if (!ret)
		ret = read_activation(r, c[C_ACTIVATION], &n);
	if (!ret)
		ret = read_sizes(r, c, &n.detail);
	r->n_sources = 0;
	if (!ret)
		ret = find_sources(r, v[INBOUND], 0);
	if (!ret)
		ret = keep_sources(r, &n.inputs, &n.n_inputs);
	if (!ret)
		ret = vv_graph_add(r->g, &n, r->err);
	/* The first layer of an old Sequential says what the model takes. */
	if (!ret && !depth && (!strcmp(n.op, "InputLayer") || (!r->last && c[C_OLD_SHAPE].len)))
		ret = add_input(r, n.name, c);
	if (!ret && !depth)
		r->last = n.name;
	if (ret || (!is_array(c[C_LAYERS]) && !is_object(c[C_LAYER])))
		return ret;
	if (depth == VV_MAX_GRAPH_DEPTH)
		return vv_fail(r->err, VV_ELIMIT, "models in models, more than %d deep", VV_MAX_GRAPH_DEPTH);
	r->g->subgraphs += is_array(c[C_LAYERS]);
	return is_array(c[C_LAYERS]) ? read_layers(r, c[C_LAYERS], depth + 1) : read_layer(r, c[C_LAYER], depth + 1);
}

static int read_layers(struct reader *r, struct vv_span layers, unsigned depth)
{
	struct vv_json j = {layers, 0};
	struct vv_span item;
	size_t n = 0;
	int ret;

	while (!(ret = next_item(r, &j, &n, &item)))
		if ((ret = read_layer(r, item, depth)))
			break;
	return ret < 0 ? ret : 0;
}

/* --- the optimizer --- */

static int read_optimizer(struct reader *r, struct vv_span raw)
{
	static const char *const keys[] = {"config"}, *const settings[] = {"learning_rate", "lr", "momentum", "weight_decay"};
	struct vv_span config, v[VV_COUNT(settings)];
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	char number[MAX_NUMBER + 1];
	const char *class;
	size_t named;
	int ret = read_class(r, raw, &class);

	if (ret || !*class)
		return ret;
	vv_buf_str(&text, class);
	ret = is_object(raw) ? pick(r, raw, keys, &config, 1) : 0;
	if (!ret && is_object(raw) && is_object(config)) {
		ret = pick(r, config, settings, v, VV_COUNT(settings));
		named = text.len;
		for (size_t i = 0; i < VV_COUNT(settings) && !ret; i++) {
			if (!is_number(v[i]) || v[i].len > MAX_NUMBER || vv_span_is(v[i], "0.0"))
				continue;
			/* Keras writes a float as the double that it is: 0.0010000000474974513. */
			snprintf(number, sizeof(number), "%.*s", (int)v[i].len, (const char *)v[i].ptr);
			vv_buf_fmt(&text, "%s%s %g", text.len == named ? " (" : ", ", settings[i], strtod(number, NULL));
		}
		vv_buf_str(&text, text.len == named ? "" : ")");
	}
	if (!ret)
		ret = vv_buf_check(&text, r->err);
	if (!ret)
		ret = vv_graph_text(r->g, vv_buf_view(&text), &r->g->optimizer, r->err);
	vv_buf_release(&text);
	return ret;
}

/* --- the model --- */

static int add_outputs(struct reader *r, struct vv_span layers)
{
	int ret;

	r->n_sources = 0;
	ret = find_sources(r, layers, 0);
	for (size_t i = 0; i < r->n_sources && !ret; i++)
		ret = vv_graph_add_value(r->g, true, &(struct vv_graph_value){.name = r->sources[i]}, r->err);
	if (!ret && !r->n_sources && r->last)
		ret = vv_graph_add_value(r->g, true, &(struct vv_graph_value){.name = r->last}, r->err);
	return ret;
}

static int read_model(struct reader *r, struct vv_span text)
{
	enum { CLASS, CONFIG, COMPILE, M_COUNT, NAME = 0, LAYERS, OUTPUTS, N };
	static const char *const keys[] = {"class_name", "config", "compile_config"}, *const optimizer[] = {"optimizer"};
	static const char *const members[] = {"name", "layers", "output_layers"};
	struct vv_span m[M_COUNT], c[N] = {{0}}, class, name;
	int ret = pick(r, text, keys, m, M_COUNT);

	if (!ret)
		ret = decode(r, m[CLASS], &class);
	if (!ret)
		ret = vv_graph_add_fact(r->g, "class", class, r->err);
	if (!ret && is_object(m[CONFIG]))
		ret = pick(r, m[CONFIG], members, c, N);
	if (!ret)
		ret = decode(r, c[NAME], &name);
	if (!ret)
		ret = vv_graph_add_fact(r->g, "name", name, r->err);
	/* A Sequential of Keras 2.1 and older is the list itself. */
	if (is_array(m[CONFIG]))
		c[LAYERS] = m[CONFIG];
	if (!ret && is_array(c[LAYERS]))
		ret = read_layers(r, c[LAYERS], 0);
	if (!ret)
		ret = add_outputs(r, c[OUTPUTS]);
	if (!ret && is_object(m[COMPILE])) {
		ret = pick(r, m[COMPILE], optimizer, &name, 1);
		if (!ret)
			ret = read_optimizer(r, name);
	}
	return ret;
}

/* A compressed member's text may be longer than the file. */
static void reader_init(struct reader *r, struct vv_graph *g, struct vv_span text, struct vv_err *err)
{
	*r = (struct reader){.g = g, .text = VV_BUF_INIT(VV_MAX_TEXT), .err = err};
	if (g->room < text.len)
		g->room = text.len;
}

int vv_keras_config(struct vv_graph *g, struct vv_span text, struct vv_err *err)
{
	struct reader r;
	int ret;

	reader_init(&r, g, text, err);
	ret = read_model(&r, text);
	free(r.sources);
	vv_buf_release(&r.text);
	return ret;
}

int vv_keras_training(struct vv_graph *g, struct vv_span text, struct vv_err *err)
{
	static const char *const keys[] = {"optimizer_config"};
	struct vv_span optimizer;
	struct reader r;
	int ret;

	reader_init(&r, g, text, err);
	ret = pick(&r, text, keys, &optimizer, 1);
	if (!ret)
		ret = read_optimizer(&r, optimizer);
	vv_buf_release(&r.text);
	return ret;
}

int vv_keras_version(struct vv_graph *g, struct vv_span text, struct vv_err *err)
{
	static const char *const keys[] = {"keras_version"};
	struct vv_span version;
	struct reader r;
	int ret;

	reader_init(&r, g, text, err);
	ret = pick(&r, text, keys, &version, 1);
	if (!ret)
		ret = decode(&r, version, &version);
	if (!ret)
		ret = vv_graph_add_fact(g, "keras", version, err);
	vv_buf_release(&r.text);
	return ret;
}
