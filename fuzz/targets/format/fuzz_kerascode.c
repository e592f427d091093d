/* Whatever a configuration says, what is told of it is bounded and lies in it. */
#include "format/keras_code.h"

#include "check.h"

#include <string.h>

struct seen {
	size_t n, size;
};

static void tell(void *ctx, const char *code, uint64_t off, const char *detail)
{
	struct seen *s = ctx;

	MUST(code && detail && strlen(detail) < 2000 && off < s->size && s->n < 50);
	s->n++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {.size = size};
	struct vv_err err = VV_ERR_INIT;

	vv_keras_config_probe(vv_span(data, size < 64 ? size : 64));
	MUST(!vv_keras_code(vv_span(data, size), tell, &seen, &err));
	return 0;
}
