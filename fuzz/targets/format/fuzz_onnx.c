#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_elsewheres told;
	struct vv_err err = VV_ERR_INIT;
	struct located l;
	int ret;

	locate_soundly(&l, vv_span(data, size));
	check_assemble(&l, false);
	ret = vv_elsewhere_read(l.layout.format, &l.mem.base, &told, &err);
	/* What was located is read a second time, and only names may be too many or too long. */
	MUST(!ret || ret == VV_ELIMIT || ret == VV_EUNSAFE);
	for (size_t i = 0; i < told.n; i++)
		MUST(!vv_elsewhere_bad(vv_span_str(told.items[i].file)));
	vv_elsewheres_release(&told);
	located_release(&l);
	return 0;
}
