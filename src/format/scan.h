/*
 * What somebody should know before a program loads a file: the findings of its format, and what a
 * closer look shows that adding a file has no time for, checksums and all that lies inside archives.
 * Nothing is executed, imported or opened.
 */
#ifndef VV_FORMAT_SCAN_H
#define VV_FORMAT_SCAN_H

#include "base/progress.h"
#include "format/format.h"

enum vv_severity {
	VV_NOTE,       /* worth knowing; loading the file does no harm by it */
	VV_SUSPICIOUS, /* not what the tools themselves write: somebody should look */
	VV_DANGEROUS,  /* made to run code, to write elsewhere, or to exhaust memory */
};
/* "note", "suspicious", "dangerous". */
const char *vv_severity_name(enum vv_severity s);
/* A judgement for people; whether a file is taken never hangs on it. */
enum vv_severity vv_severity_of(const struct vv_finding *f);

enum { VV_MAX_SCANNED = 1000 }; /* findings; one more says that there were more */

struct vv_scan {
	struct vv_arena arena; /* owns what follows */
	const char *format;
	struct vv_finding *findings;
	size_t n;
};
/*
 * Scans a file's bytes. Archives in archives are opened three levels deep; a member that claims to
 * inflate to far more than it is, is told and not inflated. Fails only when the source fails or memory
 * is gone. `prog` may be NULL.
 */
VV_MUST_CHECK int vv_scan(
	struct vv_scan *out, const struct vv_source *src, struct vv_progress *prog, struct vv_err *err);
void vv_scan_release(struct vv_scan *s);

#endif
