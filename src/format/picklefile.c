/*
 * A bare pickle: a model of scikit-learn, a checkpoint of PyTorch before 1.6. No tensor is looked for; it
 * is a format of its own so that a reviewer sees what loading the file would import, whatever its name.
 */
#include "base/check.h"
#include "base/quote.h"
#include "format/formats.h"
#include "format/pickle.h"
#include "format/pickle_ops.h"
#include "format/scan.h"

#include <stdlib.h>

enum { LOOK_INTO = 64 << 20 };

/* Characters of a name in Python, and dots. */
static bool is_name_span(struct vv_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		uint8_t c = s.ptr[i], small = c | 0x20;
		if (!(small >= 'a' && small <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '.' && !(c & 0x80))
			return false;
	}
	return s.len > 0;
}

bool vv_pickle_is_name(const char *s)
{
	return is_name_span(vv_span_str(s));
}

/* Protocols 0 and 1 have no signature: all that is seen must be opcodes, and a name be imported. */
static bool looks_old(struct vv_span head, uint64_t size)
{
	struct vv_cursor c = vv_cursor(head);
	struct vv_op_at op;
	bool imports = false;

	while (!vv_op_next(&c, &op)) {
		if (op.code == OP_STOP)
			return imports;
		if (op.code != OP_GLOBAL && op.code != OP_INST)
			continue;
		if (!is_name_span(op.text) || !is_name_span(op.text2))
			return false;
		imports = true;
	}
	return imports && (size > head.len || !c.left);
}

static enum vv_probe probe(struct vv_span head, uint64_t size)
{
	if (vv_pickle_probe(head))
		return VV_PROBE_YES;
	return looks_old(head, size) ? VV_PROBE_MAYBE : VV_PROBE_NO;
}

/* Behind the pickles old checkpoints have raw numbers: those may look like an opcode, hardly like a name. */
static bool is_text(const char *s)
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

static bool is_global(const struct vv_pickle_finding *f)
{
	return !strcmp(f->code, "pickle-global") || !strcmp(f->code, "pickle-extension");
}

static bool tells(const struct vv_pickle *p, const char *detail)
{
	for (size_t i = 0; i < p->n_findings; i++)
		if (!strcmp(p->findings[i].detail, detail))
			return true;
	return false;
}

/* Other pickles than PyTorch's use other opcodes, end early in what we read, and break no promise. */
static int forgive(int ret, struct vv_err *err)
{
	if (ret != VV_EFORMAT && ret != VV_ELIMIT)
		return ret;
	vv_err_clear(err);
	return 0;
}

int vv_pickle_globals(struct vv_span bytes, bool sure, vv_pickle_global_fn *fn, void *ctx, struct vv_err *err)
{
	struct vv_pickle p = {0}, q = {0};
	bool broken = false;
	int ret = forgive(vv_pickle_parse(&p, bytes, err), err);

	if (!ret && p.arrays)
		ret = forgive(vv_pickle_parse_joblib(&q, bytes, err), err);
	for (size_t i = 0; i < p.n_findings; i++)
		broken |= !strcmp(p.findings[i].code, "pickle-broken") ||
			(!strcmp(p.findings[i].code, "pickle-global") && !vv_pickle_is_name(p.findings[i].detail));
	for (size_t i = 0; i < q.n_findings && !ret; i++)
		if (is_global(&q.findings[i]))
			fn(ctx, &q.findings[i], false);
	for (size_t i = 0; i < p.n_findings && !ret; i++)
		if (is_global(&p.findings[i]) && !tells(&q, p.findings[i].detail))
			fn(ctx, &p.findings[i], p.arrays || (!sure && broken));
	vv_pickle_release(&p);
	vv_pickle_release(&q);
	return ret;
}

static void tell(void *ctx, const struct vv_pickle_finding *f, bool vague)
{
	const struct vv_finding seen = {f->code, 0, f->detail};

	if (!strcmp(f->code, "pickle-extension") ? !vague
						 : is_text(f->detail) && (!vague || vv_severity_of(&seen) == VV_DANGEROUS))
		vv_layout_finding(ctx, f->code, f->off, "%s", f->detail);
}

int vv_pickle_locate(struct vv_layout_build *b, const struct vv_source *src, struct vv_err *err)
{
	size_t n = (size_t)vv_min64(src->size, LOOK_INTO);
	uint8_t *bytes = malloc(n + 1);
	int ret = bytes ? vv_source_read(src, 0, bytes, n, err) : vv_fail_nomem(err);

	if (!ret)
		ret = vv_pickle_globals(vv_span(bytes, n), true, tell, b, err);
	if (!ret && n < src->size)
		vv_layout_finding(b, "pickle-limit", n, "what follows was not looked into");
	free(bytes);
	return ret;
}

const struct vv_format vv_format_pickle = {.name = "pickle", .probe = probe, .locate = vv_pickle_locate};
