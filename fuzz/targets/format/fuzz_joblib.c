/* Both readings of a pickle, Python's and joblib's: what one of them sees is told, once, from within the bytes. */
#include "format/pickle.h"

#include "check.h"

#include <string.h>

struct seen {
	size_t n, size;
};

static void tell(void *ctx, const struct vv_pickle_finding *f, bool vague)
{
	struct seen *s = ctx;

	(void)vague;
	MUST(f->code && f->detail && f->off <= s->size);
	MUST(s->n++ < 2 * VV_MAX_PICKLE_FINDINGS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen seen = {.size = size};
	struct vv_err err = VV_ERR_INIT;

	MUST(!vv_pickle_globals(vv_span(data, size), size & 1, tell, &seen, &err));
	return 0;
}
