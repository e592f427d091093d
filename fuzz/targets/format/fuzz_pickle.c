/* Any bytes parse or are refused with a reason; what parses and can be written comes back as written. */
#include "format/pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_findings(const struct vv_pickle *p, size_t size)
{
	for (size_t i = 0; i < p->n_findings; i++)
		if (!p->findings[i].detail || p->findings[i].off > size)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_buf first = VV_BUF_INIT(VV_MAX_PICKLE), second = VV_BUF_INIT(VV_MAX_PICKLE);
	struct vv_err err = VV_ERR_INIT;
	struct vv_pickle p, q;
	int ret = vv_pickle_parse(&p, vv_span(data, size), &err);

	(void)vv_pickle_probe(vv_span(data, size));
	check_findings(&p, size);
	if (ret && (!err.code || !err.msg[0]))
		abort();
	if (!ret && !vv_pickle_emit(&p, p.root, &first, &err)) {
		if (vv_pickle_parse(&q, vv_buf_view(&first), &err) || vv_pickle_emit(&q, q.root, &second, &err) ||
			!vv_span_eq(vv_buf_view(&first), vv_buf_view(&second)))
			abort();
		vv_pickle_release(&q);
	}
	vv_pickle_release(&p);
	vv_buf_release(&first);
	vv_buf_release(&second);
	return 0;
}
