/* Any name comes back from its quoted form; any text that unquotes is the one that quoting yields. */
#include "base/quote.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void there_and_back(struct vv_span name)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT), back = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_span rest;

	vv_quote(&text, name);
	rest = vv_buf_view(&text);
	if (vv_unquote(&back, &rest) || rest.len || !vv_span_eq(vv_buf_view(&back), name))
		abort();
	/* One line of UTF-8, with nothing in it that does not show. */
	if (vv_has_unseen(vv_buf_view(&text)))
		abort();
	vv_buf_release(&text);
	vv_buf_release(&back);
}

static void strictly(struct vv_span text)
{
	struct vv_buf name = VV_BUF_INIT(VV_MAX_TEXT), again = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_span rest = text;

	if (!vv_unquote(&name, &rest)) {
		vv_quote(&again, vv_buf_view(&name));
		if (!vv_span_eq(vv_buf_view(&again), vv_span(text.ptr, text.len - rest.len)))
			abort();
	} else if (rest.ptr != text.ptr || rest.len != text.len) {
		abort();
	}
	vv_buf_release(&name);
	vv_buf_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	there_and_back(vv_span(data, size));
	strictly(vv_span(data, size));
	return 0;
}
