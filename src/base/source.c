#include "base/source.h"

#include "base/check.h"

#include <inttypes.h>
#include <stdlib.h>

int vv_source_read(const struct vv_source *src, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	if (off > src->size || len > src->size - off)
		return vv_fail(err, VV_EFORMAT, "%zu bytes at offset %" PRIu64 " lie past the end (%" PRIu64 ")",
			len, off, src->size);
	return len ? src->read_at(src, off, dst, len, err) : 0;
}

static int mem_read_at(
	const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err VV_UNUSED)
{
	const struct vv_source_mem *m = (const struct vv_source_mem *)self;

	memcpy(dst, m->data.ptr + off, len);
	return 0;
}

void vv_source_mem_init(struct vv_source_mem *m, struct vv_span data)
{
	m->base = (struct vv_source){.size = data.len, .read_at = mem_read_at};
	m->data = data;
}

int vv_source_copy(const struct vv_source *src, uint64_t off, uint64_t len, struct vv_sink *out, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	uint8_t *buf = malloc((size_t)vv_min64(PIECE, len) + 1);
	int ret = buf ? 0 : vv_fail_nomem(err);

	for (uint64_t at = 0; at < len && !ret; at += PIECE) {
		size_t n = (size_t)vv_min64(PIECE, len - at);
		ret = vv_source_read(src, off + at, buf, n, err);
		if (!ret)
			ret = out->write(out, vv_span(buf, n), err);
	}
	free(buf);
	return ret;
}
