/*
 * Keras makes objects of a configuration's {"module", "class_name", "config"}: it imports the module, takes the name
 * and calls it. The text is walked loosely, since Python's reader takes what ours would refuse: lone surrogates, keys
 * that repeat (the last counts), NaN. After keras/src/saving/serialization_lib.py.
 */
#include "format/keras_code.h"
#include "format/jsonscan.h"

#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	DEPTH = 1024,   /* Python's own reader gives up before */
	NAME = 256,     /* bytes of a name that are told */
	TEXT = 1024,    /* of one that is compared: none that Keras knows is longer */
	MOST = 48,      /* findings */
};
enum slot { MODULE, CLASS, REGISTERED, CONFIG, VOCABULARY, N_SLOTS };
static const char *const keys[N_SLOTS] = {"module", "class_name", "registered_name", "config", "vocabulary"};

/* An object or a list that is open: where the texts of its keys stand, 0: none. */
struct level {
	bool object;
	size_t at[N_SLOTS];
};

struct walk {
	struct vv_span text;
	struct level *levels; /* DEPTH of them */
	size_t depth;
	struct vv_buf key, value[N_SLOTS];
	vv_keras_tell_fn *tell;
	void *ctx;
	size_t told;
};

static void tell(struct walk *w, const char *code, size_t off, const char *detail)
{
	if (w->told > MOST)
		return;
	w->tell(w->ctx, w->told == MOST ? "more" : code, off, w->told == MOST ? "and more than can be listed" : detail);
	w->told++;
}

/* The place behind the string that begins at `at`; the text's end when it has none. */
static size_t skip_string(const struct walk *w, size_t at)
{
	for (at++; at < w->text.len && w->text.ptr[at] != '"'; at++)
		if (w->text.ptr[at] == '\\')
			at++;
	return at < w->text.len ? at + 1 : w->text.len;
}

/* Decoded where it can be, else as it stands: then it equals no name that Keras knows. */
static void decode(const struct walk *w, size_t at, struct vv_buf *out)
{
	struct vv_json j = {w->text, at};

	if (vv_json_string(&j, out)) {
		size_t end = skip_string(w, at);
		size_t n = end - at - 1;
		vv_buf_clear(out);
		vv_buf_add(out, w->text.ptr + at + 1, vv_min64(n && w->text.ptr[end - 1] == '"' ? n - 1 : n, NAME));
	}
	vv_buf_add(out, "", 0);
}

static bool below(const char *s, const char *package)
{
	size_t n = strlen(package);

	return !strncmp(s, package, n) && (!s[n] || s[n] == '.');
}

/* Keras' own, where a name is looked up among its objects. */
static bool is_keras(const char *module)
{
	static const char *const own[] = {"keras", "tf_keras", "keras_hub", "keras_nlp", "keras_cv"};

	for (size_t i = 0; i < VV_COUNT(own); i++)
		if (below(module, own[i]))
			return true;
	/* What has no module of its own: activations by name, and so on. */
	return !*module || !strcmp(module, "builtins");
}

/* Of Keras' own objects those that do other than layers do: fetch files, load other models, lift its guard. */
static bool is_gadget(const char *module, const char *name)
{
	static const char *const modules[] = {"keras.utils", "keras.src.utils", "keras.config", "keras.src.backend.config",
		"keras.src.backend.common.global_state", "keras.saving", "keras.src.saving", "keras.src.backend.torch",
		"tf_keras.utils", "tf_keras.src.utils", "tf_keras.saving", "tf_keras.src.saving"};
	static const char *const names[] = {"TorchModuleWrapper", "TFSMLayer", "load_model", "load_weights", "get_file",
		"enable_unsafe_deserialization", "FlaxLayer", "JaxLayer"};
	/* Keras writes these itself for what is no layer: a plain object, and a registered one of its own. */
	static const char *const plain[] = {"__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__",
		"__tuple__", "__typespec__"};

	for (size_t i = 0; i < VV_COUNT(plain); i++)
		if (!strcmp(name, plain[i]))
			return false;
	for (size_t i = 0; i < VV_COUNT(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	for (size_t i = 0; i < VV_COUNT(modules); i++)
		if (below(module, modules[i]))
			return true;
	return false;
}

static bool is_lambda(const char *name)
{
	const char *own = strrchr(name, '>');

	name = own ? own + 1 : name;
	return !strcmp(name, "Lambda") || !strcmp(name, "__lambda__");
}

/* An object has ended: what would Keras make of it? */
static void judge(struct walk *w, const struct level *l)
{
	char full[2 * NAME + 2];
	const char *module, *name;

	for (size_t i = 0; i < N_SLOTS; i++) {
		vv_buf_clear(&w->value[i]);
		vv_buf_add(&w->value[i], "", 0);
		if (l->at[i])
			decode(w, l->at[i], &w->value[i]);
		if (!w->value[i].ptr)
			return;
	}
	if (l->at[VOCABULARY] && w->value[VOCABULARY].len)
		tell(w, "keras-path", l->at[VOCABULARY], (const char *)w->value[VOCABULARY].ptr);
	if (!l->at[CLASS])
		return;
	module = (const char *)w->value[MODULE].ptr;
	name = (const char *)w->value[CLASS].ptr;
	if (is_lambda(name) || is_lambda((const char *)w->value[REGISTERED].ptr)) {
		tell(w, "keras-lambda", l->at[CLASS], "the model has a layer that is Python code");
		return;
	}
	/* A function's class is "function", its name the configuration. */
	if (!strcmp(name, "function") && l->at[CONFIG])
		name = (const char *)w->value[CONFIG].ptr;
	if (is_keras(module) && !is_gadget(module, name))
		return;
	snprintf(full, sizeof(full), "%.*s.%.*s", NAME, module, NAME, name);
	tell(w, "keras-global", l->at[CLASS], full);
}

/* A string of an object: a key, if a colon follows; then the value it is the key of, if that is a string. */
static size_t member(struct walk *w, struct level *l, size_t at)
{
	size_t end = skip_string(w, at);
	struct vv_json j = {w->text, end};

	if (vv_json_char(&j, ':'))
		return end;
	decode(w, at, &w->key);
	for (size_t i = 0; i < N_SLOTS; i++)
		if (vv_span_is(vv_buf_view(&w->key), keys[i])) {
			/* Only texts matter: a "config" is one where it names a function. */
			l->at[i] = vv_json_peek(&j, '"') ? j.at : 0;
			break;
		}
	return vv_json_peek(&j, '"') ? skip_string(w, j.at) : j.at;
}

static void run(struct walk *w)
{
	size_t at = 0;

	while (at < w->text.len) {
		struct level *l = w->depth ? &w->levels[w->depth - 1] : NULL;
		uint8_t c = w->text.ptr[at];

		if (c == '"') {
			at = l && l->object ? member(w, l, at) : skip_string(w, at);
			continue;
		}
		if (c == '{' || c == '[') {
			if (w->depth == DEPTH) {
				tell(w, "limit", at, "nested too deep to look into");
				break;
			}
			w->levels[w->depth++] = (struct level){.object = c == '{'};
		} else if ((c == '}' || c == ']') && l) {
			if (l->object)
				judge(w, l);
			w->depth--;
		}
		at++;
	}
	/* What is open when the text breaks off is told as well. */
	for (; w->depth; w->depth--)
		if (w->levels[w->depth - 1].object)
			judge(w, &w->levels[w->depth - 1]);
}

/* Python's reader of JSON takes UTF-16 and UTF-32, by their zeros or a mark. Keras writes neither. */
static bool is_wide(struct vv_span s)
{
	if (s.len < 2)
		return false;
	return (s.ptr[0] == 0xff && s.ptr[1] == 0xfe) || (s.ptr[0] == 0xfe && s.ptr[1] == 0xff) || !s.ptr[0] || !s.ptr[1];
}

bool vv_keras_config_probe(struct vv_span head)
{
	size_t i = 0;

	if (vv_span_starts(head, "\xef\xbb\xbf"))
		i = 3;
	else if (head.len >= 2 && (!memcmp(head.ptr, "\xff\xfe", 2) || !memcmp(head.ptr, "\xfe\xff", 2)))
		i = 2;
	while (i < head.len && (!head.ptr[i] || strchr(" \t\r\n", head.ptr[i])))
		i++;
	return i < head.len && head.ptr[i] == '{';
}

int vv_keras_code(struct vv_span text, vv_keras_tell_fn *fn, void *ctx, struct vv_err *err)
{
	struct walk w = {.text = text, .tell = fn, .ctx = ctx, .key = VV_BUF_INIT(TEXT)};
	struct vv_buf narrow = VV_BUF_INIT(VV_MAX_TEXT);
	int ret = 0;

	for (size_t i = 0; i < N_SLOTS; i++)
		w.value[i] = (struct vv_buf)VV_BUF_INIT(TEXT);
	w.levels = malloc(DEPTH * sizeof(*w.levels));
	if (!w.levels)
		return vv_fail_nomem(err);
	if (is_wide(text)) {
		tell(&w, "keras-encoding", 0, "the configuration is in UTF-16 or UTF-32");
		/* Of ASCII, which all that matters is, the zeros are what is too much. */
		for (size_t i = 0; i < text.len; i++)
			if (text.ptr[i] && text.ptr[i] < 0x80)
				vv_buf_char(&narrow, (char)text.ptr[i]);
		w.text = vv_buf_view(&narrow);
	}
	run(&w);
	if (narrow.failed == VV_ENOMEM || w.key.failed == VV_ENOMEM)
		ret = vv_fail_nomem(err);
	for (size_t i = 0; i < N_SLOTS; i++) {
		if (w.value[i].failed == VV_ENOMEM)
			ret = vv_fail_nomem(err);
		vv_buf_release(&w.value[i]);
	}
	vv_buf_release(&w.key);
	vv_buf_release(&narrow);
	free(w.levels);
	return ret;
}
