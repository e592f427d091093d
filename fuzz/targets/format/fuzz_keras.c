#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct located l;

	locate_soundly(&l, vv_span(data, size));
	check_assemble(&l, true);
	located_release(&l);
	return 0;
}
