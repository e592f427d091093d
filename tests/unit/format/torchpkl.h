/* Small PyTorch archives for tests: a data.pkl of given tensors, and anything that can be wrong with it. */
#ifndef VV_TESTS_TORCHPKL_H
#define VV_TESTS_TORCHPKL_H

#include "mkzip.h"
#include "torch.h"

#define LIT(s) vv_span(s, sizeof(s) - 1)

/* One tensor of a pickle, as opcodes. What is NULL is what PyTorch would write for four floats. */
struct torch_words {
	const char *callee;   /* "torch._utils\n_rebuild_tensor_v2\n" */
	const char *type;     /* "torch\nFloatStorage\n" */
	const char *tag;      /* "storage" */
	const char *key;      /* "0" */
	const char *location; /* "cpu" */
	const char *numel;    /* "K\4" */
	const char *offset;   /* "K" and a NUL */
	const char *size;     /* "K\4\x85" */
	const char *stride;   /* "K\1\x85" */
	const char *more;     /* "" */
};

static inline void torch_str(struct vv_buf *b, const char *s)
{
	vv_buf_char(b, 'X');
	vv_buf_le(b, strlen(s), 4);
	vv_buf_str(b, s);
}

static inline void torch_tensor(struct vv_buf *b, const struct torch_words *w)
{
	vv_buf_fmt(b, "c%s((", w->callee ? w->callee : "torch._utils\n_rebuild_tensor_v2\n");
	torch_str(b, w->tag ? w->tag : "storage");
	vv_buf_fmt(b, "c%s", w->type ? w->type : "torch\nFloatStorage\n");
	torch_str(b, w->key ? w->key : "0");
	torch_str(b, w->location ? w->location : "cpu");
	vv_buf_fmt(b, "%stQ", w->numel ? w->numel : "K\4");
	if (w->offset)
		vv_buf_str(b, w->offset);
	else
		vv_buf_span(b, LIT("K\0"));
	vv_buf_fmt(b, "%s%s\x89", w->size ? w->size : "K\4\x85", w->stride ? w->stride : "K\1\x85");
	vv_buf_fmt(b, "ccollections\nOrderedDict\n)R%stR", w->more ? w->more : "");
}

/* {"w": the tensor} */
static inline struct vv_buf torch_pickle(const struct torch_words *w)
{
	struct vv_buf b = VV_BUF_INIT(VV_MAX_TEXT);

	vv_buf_str(&b, "\x80\x02}");
	torch_str(&b, "w");
	torch_tensor(&b, w);
	vv_buf_str(&b, "s.");
	return b;
}

/* "m/data.pkl", storages "0" … of four floats each, "version". */
static inline void torch_zip(struct mkzip *z, struct vv_span pickle, int storages, unsigned flags)
{
	float four[4] = {1, 2, 3, 4};
	char name[32];

	mkzip_add(z, "m/data.pkl", pickle, flags);
	for (int i = 0; i < storages; i++) {
		snprintf(name, sizeof(name), "m/data/%d", i);
		mkzip_add(z, name, vv_span(four, sizeof(four)), flags);
	}
	mkzip_add(z, "m/version", LIT("3\n"), flags);
}

/* The archive of the one pickle, opened. */
static inline void torch_made(struct torch_file *f, struct vv_span pickle, int storages)
{
	struct mkzip z = MKZIP_INIT;

	torch_zip(&z, pickle, storages, MKZIP_LATE | MKZIP_PAD64);
	torch_open(f, mkzip_end(&z, true, ""));
	mkzip_release(&z);
}

/* All findings, "code detail;…". Borrowed: valid until the next call. */
static inline const char *torch_findings(const struct torch_file *f)
{
	static char text[65536];
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; i < f->layout.n_findings && n < sizeof(text) - 1; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s %s", i ? ";" : "", f->layout.findings[i].code,
			f->layout.findings[i].detail);
	return text;
}

#endif
