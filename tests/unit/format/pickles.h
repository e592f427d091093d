/* Pickles for tests, written opcode by opcode, also wrong ones. None is ever given to Python. */
#ifndef VV_TESTS_PICKLES_H
#define VV_TESTS_PICKLES_H

#include "format/pickle.h"

#include "tap.h"

/* Bytes of a string literal, NULs included. */
#define LIT(s) vv_span(s, sizeof(s) - 1)

static inline int pk_parse(struct vv_pickle *p, struct vv_span s, struct vv_err *err)
{
	vv_err_clear(err);
	return vv_pickle_parse(p, s, err);
}

/* The n-th finding of that code; NULL when there are fewer. */
static inline const struct vv_pickle_finding *pk_finding(const struct vv_pickle *p, const char *code, size_t n)
{
	for (size_t i = 0; i < p->n_findings; i++)
		if (!strcmp(p->findings[i].code, code) && !n--)
			return &p->findings[i];
	return NULL;
}

static inline bool pk_names(const struct vv_pickle *p, const char *global)
{
	const struct vv_pickle_finding *f;

	for (size_t i = 0; (f = pk_finding(p, "pickle-global", i)); i++)
		if (!strcmp(f->detail, global))
			return true;
	return false;
}

/* Parses, compares the code and says which findings there are, as "code detail;code detail". */
static inline void pk_expect(struct vv_span s, int code, const char *findings)
{
	struct vv_buf told = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	struct vv_pickle p;

	CHECK_INT(pk_parse(&p, s, &err), code);
	for (size_t i = 0; i < p.n_findings; i++)
		vv_buf_fmt(&told, "%s%s %s", i ? ";" : "", p.findings[i].code, p.findings[i].detail);
	vv_buf_add(&told, "", 0);
	CHECK_STR((const char *)told.ptr, findings);
	if (code)
		printf("# %s\n", err.msg);
	vv_buf_release(&told);
	vv_pickle_release(&p);
}

#endif
