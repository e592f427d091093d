/* A file of sketches, its checksum made right first: what loads is bounded by its bytes, and estimates from it are sane. */
#include "diff/sketch.h"
#include "summed.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int see(void *arg, const struct vv_id *id VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	++*(size_t *)arg;
	return 0;
}

static void load(struct vv_span bytes)
{
	struct vv_sketches s = {.n = 0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_delta d;
	size_t n = 0;

	if (vv_sketches_load(&s, bytes, &err)) {
		if (err.code != VV_EFORMAT || !err.msg[0] || s.n)
			abort();
	} else if (vv_sketches_each_id(bytes, see, &n, &err) || n < s.n || n > bytes.len / 120) {
		abort();
	}
	for (size_t i = 0; i < s.n; i++) {
		if (vv_sketches_find(&s, &s.rows[i].key) != &s.rows[i])
			abort();
		if (vv_sketch_delta(&d, &s.rows[0], &s.rows[i]) && (!isfinite(d.norm_delta) || d.norm_delta < 0 || d.relative_error < 0))
			abort();
	}
	vv_sketches_release(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	load_summed(data, size, load);
	return 0;
}
