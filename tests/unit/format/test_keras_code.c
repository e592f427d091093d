#include "format/keras_code.h"

#include "tap.h"

#include <stdio.h>
#include <stdlib.h>

static char told[4096]; /* "code detail;code detail;" */
static uint64_t last;

static void tell(void *ctx VV_UNUSED, const char *code, uint64_t off, const char *detail)
{
	size_t n = strlen(told);

	snprintf(told + n, sizeof(told) - n, "%s %s;", code, detail);
	last = off;
}

static const char *of_bytes(const void *ptr, size_t len)
{
	struct vv_err err = VV_ERR_INIT;
	/* Exactly as large as the text, so that a sanitizer sees a read past it. */
	uint8_t *copy = malloc(len + !len);

	memcpy(copy, ptr, len);
	*told = 0;
	CHECK_OK(vv_keras_code(vv_span(copy, len), tell, NULL, &err), &err);
	free(copy);
	return told;
}

static const char *of(const char *json)
{
	return of_bytes(json, strlen(json));
}

#define LAMBDA "keras-lambda the model has a layer that is Python code;"

static void test_lambda(void)
{
	CHECK_STR(of("{\"class_name\": \"Lambda\"}"), LAMBDA);
	CHECK_INT(last, 15);
	CHECK_STR(of("{\"class_name\":\"__lambda__\"}"), LAMBDA);
	CHECK_STR(of("{\"cl\\u0061ss_name\" : \"L\\u0061mbda\"}"), LAMBDA);
	CHECK_STR(of("{\"class_name\":\"x\",\"registered_name\":\"Custom>Lambda\"}"), LAMBDA);
	CHECK_STR(of("[[{\"a\":[1,{\"class_name\":\"Lambda\"}]}]]"), LAMBDA);
	/* The word alone is none; what our own reader of JSON refuses, Python's takes. */
	CHECK_STR(of("{\"name\":\"Lambda\",\"x\":\"class_name\",\"y\":[\"class_name\",\"Lambda\"]}"), "");
	CHECK_STR(of("{\"a\":\"\\ud800\",\"b\":NaN,\"class_name\":\"Lambda\"}"), LAMBDA);
	CHECK_STR(of("{\"class_name\":\"Lambda\",\"class_name\":\"Dense\"}"), "");
	CHECK_STR(of("{\"class_name\":\"Dense\",\"class_name\":\"Lambda\"}"), LAMBDA);
	/* Cut off. */
	CHECK_STR(of("{\"a\":{\"class_name\":\"Lambda\",\"b"), LAMBDA);
}

static void test_globals(void)
{
	CHECK_STR(of("{\"module\":\"os\",\"class_name\":\"function\",\"config\":\"system\"}"), "keras-global os.system;");
	CHECK_STR(of("{\"module\":\"my.layers\",\"class_name\":\"Own\",\"registered_name\":\"my>Own\"}"), "keras-global my.layers.Own;");
	CHECK_STR(of("{\"module\":\"keras.layers\",\"class_name\":\"Dense\",\"config\":{\"units\":1}}"), "");
	CHECK_STR(of("{\"module\":\"builtins\",\"class_name\":\"function\",\"config\":\"relu\"}"), "");
	CHECK_STR(of("{\"module\":null,\"class_name\":\"Own\"}"), "");
	CHECK_STR(of("{\"module\":\"kerasx\",\"class_name\":\"Own\"}"), "keras-global kerasx.Own;");
	CHECK_STR(of("{\"module\":\"keras.utils\",\"class_name\":\"function\",\"config\":\"get_file\"}"), "keras-global keras.utils.get_file;");
	CHECK_STR(of("{\"module\":\"keras.config\",\"class_name\":\"function\",\"config\":\"enable_unsafe_deserialization\"}"),
		"keras-global keras.config.enable_unsafe_deserialization;");
	CHECK_STR(of("{\"module\":\"keras.layers\",\"class_name\":\"TorchModuleWrapper\"}"), "keras-global keras.layers.TorchModuleWrapper;");
	CHECK_STR(of("{\"module\":\"keras\",\"class_name\":\"__tensor__\"}"), "");
	CHECK_STR(of("{\"module\":\"os\"}"), "");
	CHECK_STR(of("{\"class_name\":\"StringLookup\",\"config\":{\"vocabulary\":\"/etc/hostname\"}}"), "keras-path /etc/hostname;");
	CHECK_STR(of("{\"class_name\":\"StringLookup\",\"config\":{\"vocabulary\":[\"a\"]}}"), "");
	/* A name that cannot be decoded is told as it stands. */
	CHECK_STR(of("{\"module\":\"\\ud800os\",\"class_name\":\"x\"}"), "keras-global \\ud800os.x;");
}

static void test_wide(void)
{
	static const char json[] = "{\"class_name\":\"Lambda\"}";
	uint8_t wide[2 + 4 * sizeof(json)] = {0xff, 0xfe};

	for (unsigned width = 2; width <= 4; width += 2) {
		memset(wide + 2, 0, sizeof(wide) - 2);
		for (size_t i = 0; i < sizeof(json) - 1; i++)
			wide[2 + width * i] = (uint8_t)json[i];
		CHECK_STR(of_bytes(wide, 2 + width * (sizeof(json) - 1)), "keras-encoding the configuration is in UTF-16 or UTF-32;" LAMBDA);
		CHECK_STR(of_bytes(wide + 2, width * (sizeof(json) - 1)), "keras-encoding the configuration is in UTF-16 or UTF-32;" LAMBDA);
		CHECK(vv_keras_config_probe(vv_span(wide, 16)) && vv_keras_config_probe(vv_span(wide + 2, 16)));
	}
	CHECK(vv_keras_config_probe(vv_span_str("\xef\xbb\xbf \n{\"a\":1}")));
	CHECK(!vv_keras_config_probe(vv_span_str("[1]")) && !vv_keras_config_probe(vv_span(NULL, 0)));
}

static void test_limits(void)
{
	struct vv_buf b = VV_BUF_INIT(1 << 20);

	for (int i = 0; i < 100; i++)
		vv_buf_str(&b, "{\"class_name\":\"Lambda\"}");
	of_bytes(b.ptr, b.len);
	CHECK(strstr(told, ";more and more than can be listed;") != NULL);
	vv_buf_clear(&b);
	for (int i = 0; i < 2000; i++)
		vv_buf_str(&b, "{\"a\":");
	vv_buf_str(&b, "{\"class_name\":\"Lambda\"}");
	CHECK_STR(of_bytes(b.ptr, b.len), "limit nested too deep to look into;");
	/* More brackets close than open; a string without an end; an escape as the last byte. */
	CHECK_STR(of("]]}}{\"class_name\":\"Lambda\"}"), LAMBDA);
	CHECK_STR(of("{\"class_name\":\"Lamb"), "");
	CHECK_STR(of("{\"\\"), "");
	CHECK_STR(of(""), "");
	vv_buf_release(&b);
}

int main(void)
{
	test_lambda();
	test_globals();
	test_wide();
	test_limits();
	return done();
}
