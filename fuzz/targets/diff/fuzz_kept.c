/* Kept numbers of one fixed diff, its checksum made right first: what loads is what emitting yields. */
#include "diff/kept.h"
#include "summed.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROWS = 3 };

static int see(void *arg, const struct vv_id *id, struct vv_err *err VV_UNUSED)
{
	size_t *n = arg;

	*n += id->b[0] != 0;
	return 0;
}

static void load(struct vv_span bytes)
{
	struct vv_kept k = {.n = ROWS, .rows = calloc(ROWS, sizeof(*k.rows))};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_err err = VV_ERR_INIT;
	size_t n = 0;

	if (!k.rows)
		return;
	memset(k.key.b, 'k', VV_ID_BYTES);
	for (int i = 0; i < ROWS; i++) {
		memset(k.rows[i].a.b, 'a', VV_ID_BYTES);
		memset(k.rows[i].b.b, 'b', VV_ID_BYTES);
	}
	if (vv_kept_load(&k, bytes, &err)) {
		if (err.code != VV_EFORMAT || !err.msg[0] || k.rows[0].flags)
			abort();
	} else {
		vv_kept_emit(&k, &out);
		if (!vv_span_eq(vv_buf_view(&out), bytes))
			abort();
	}
	vv_err_clear(&err);
	if (!vv_kept_each_id(bytes, see, &n, &err) && n > 2 * bytes.len)
		abort();
	vv_buf_release(&out);
	vv_kept_release(&k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_summed(data, size, load);
	return 0;
}
