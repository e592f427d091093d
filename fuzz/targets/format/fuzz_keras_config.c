/* The text alone: in an archive a checksum would keep changes away from it. */
#include "check.h"
#include "format/formats.h"
#include "format/keras_config.h"

static int read_all(struct vv_graph *g, const struct vv_source *src, struct vv_err *err)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_TEXT);
	uint8_t *p = vv_buf_reserve(&text, (size_t)src->size);
	int ret = vv_source_read(src, 0, p, (size_t)src->size, err);

	text.len = (size_t)src->size;
	if (!ret)
		ret = vv_keras_config(g, vv_buf_view(&text), err);
	if (!ret)
		ret = vv_keras_training(g, vv_buf_view(&text), err);
	if (!ret)
		ret = vv_keras_version(g, vv_buf_view(&text), err);
	vv_buf_release(&text);
	return ret;
}

static const struct vv_format format = {.name = "text", .graph = read_all};

FUZZ_GRAPH(format)
