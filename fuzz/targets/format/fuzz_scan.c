/* Whatever a file holds, scanning it ends, and says no more than it may. */
#include "format/scan.h"

#include "check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_source_mem mem;
	struct vv_scan scan;
	struct vv_err err = VV_ERR_INIT;

	vv_source_mem_init(&mem, vv_span(data, size));
	MUST(!vv_scan(&scan, &mem.base, NULL, &err));
	MUST(scan.n <= VV_MAX_SCANNED + 1 && scan.format);
	for (size_t i = 0; i < scan.n; i++)
		MUST(scan.findings[i].code && scan.findings[i].detail && vv_severity_of(&scan.findings[i]) <= VV_DANGEROUS);
	vv_scan_release(&scan);
	return 0;
}
