/*
 * A bare pickle: a model of scikit-learn, a checkpoint of PyTorch before 1.6. No tensor is looked for; it
 * is a format of its own so that a reviewer sees what loading the file would import, whatever its name.
 */
#include "base/check.h"
#include "base/quote.h"
#include "format/formats.h"
#include "format/pickle.h"

#include <stdlib.h>

enum { LOOK_INTO = 64 << 20 };

static enum vv_probe probe(struct vv_span head, uint64_t size VV_UNUSED)
{
	return vv_pickle_probe(head) ? VV_PROBE_YES : VV_PROBE_NO;
}

/* Behind the pickles old checkpoints have raw numbers: those may look like an opcode, hardly like a name. */
static bool is_name(const char *s)
{
	struct vv_span rest = vv_span_str(s);
	uint32_t c;
	size_t n;

	while (rest.len) {
		n = vv_utf8(rest, &c);
		if (!n || c <= ' ' || c == 0x7f)
			return false;
		rest = vv_span(rest.ptr + n, rest.len - n);
	}
	return true;
}

static int locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	size_t n = (size_t)vv_min64(src->size, LOOK_INTO);
	uint8_t *bytes = malloc(n + 1);
	struct vv_pickle p = {0};
	int ret = bytes ? vv_source_read(src, 0, bytes, n, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_pickle_parse(&p, vv_span(bytes, n), err);
	/* Other pickles than PyTorch's use other opcodes, end early in what we read, and break no promise. */
	if (ret == VV_EFORMAT || ret == VV_ELIMIT) {
		vv_err_clear(err);
		ret = 0;
	}
	for (size_t i = 0; i < p.n_findings && !ret; i++) {
		const struct vv_pickle_finding *f = &p.findings[i];
		if (!strcmp(f->code, "pickle-extension") || (!strcmp(f->code, "pickle-global") && is_name(f->detail)))
			vv_layout_finding(b, f->code, f->off, "%s", f->detail);
	}
	if (!ret && n < src->size)
		vv_layout_finding(b, "pickle-limit", n, "what follows was not looked into");
	vv_pickle_release(&p);
	free(bytes);
	return ret;
}

const struct vv_format vv_format_pickle = {.name = "pickle", .probe = probe, .locate = locate};
