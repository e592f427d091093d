#include "check.h"
#include "format/formats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_elsewheres told;
	struct vv_err err = VV_ERR_INIT;
	struct located l;
	int ret;

	locate_soundly(&l, vv_span(data, size));
	ret = vv_elsewhere_read(&vv_format_shard_index, &l.mem.base, &told, &err);
	for (size_t i = 0; i < told.n; i++)
		MUST(told.items[i].off == UINT64_MAX && !vv_elsewhere_bad(vv_span_str(told.items[i].file)));
	/* Both walks agree, but for what only the second keeps. */
	MUST(l.layout.format != &vv_format_shard_index || !ret || ret == VV_EUNSAFE || ret == VV_ELIMIT);
	vv_elsewheres_release(&told);
	located_release(&l);
	return 0;
}
