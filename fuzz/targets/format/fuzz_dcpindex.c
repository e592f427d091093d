/* Pickles that name tensors in archives: of a checkpoint, and any that are read as one. */
#include "check.h"
#include "format/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_elsewheres told;
	struct vv_err err = VV_ERR_INIT;
	struct located l;
	int ret;

	locate_soundly(&l, vv_span(data, size));
	ret = vv_elsewhere_read(&vv_format_dcp_index, &l.mem.base, &told, &err);
	MUST(ret <= 0 && (!ret || err.msg[0]));
	for (size_t i = 0; i < told.n; i++) {
		const struct vv_elsewhere *e = &told.items[i];
		MUST(e->within && !e->ndim && e->off + e->len <= INT64_MAX && !vv_elsewhere_bad(vv_span_str(e->file)));
	}
	vv_elsewheres_release(&told);
	located_release(&l);
	return 0;
}
