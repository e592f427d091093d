/* Whatever a file holds, each operation is told once, from within the file. */
#include "format/savedmodel.h"

#include "check.h"

#include <string.h>

struct seen {
	size_t n, size;
	const char *names[64];
};

static void op(void *ctx, const char *name, uint64_t off)
{
	struct seen *s = ctx;

	MUST(s->n < 64 && off + strlen(name) <= s->size);
	for (size_t i = 0; i < s->n; i++)
		MUST(s->names[i] != name);
	s->names[s->n++] = name;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {.size = size};
	struct vv_savedmodel s = {.op = op, .ctx = &seen};
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;
	int ret;

	vv_source_mem_init(&mem, vv_span(data, size));
	ret = vv_savedmodel_walk(&s, &mem.base, &err);
	MUST(!ret || ((ret == VV_EFORMAT || ret == VV_ELIMIT) && err.msg[0] && s.nodes));
	MUST(s.nodes >= seen.n);
	return 0;
}
