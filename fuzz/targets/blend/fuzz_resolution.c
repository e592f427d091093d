/* A record of a merge that parses is emitted as the same bytes; one that does not says why. */
#include "blend/resolution.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_buf again = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_resolution r;

	if (vv_resolution_parse(&r, vv_span(data, size), &err)) {
		if (!err.code || !err.msg[0])
			abort();
		return 0;
	}
	if (vv_resolution_emit(&r, &again, &err) || !vv_span_eq(vv_buf_view(&again), vv_span(data, size)))
		abort();
	vv_buf_release(&again);
	vv_resolution_release(&r);
	return 0;
}
