/* The attributes of a file's root that are texts. */
#include "format/hdf5.h"

struct wanted {
	struct vv_hdf5_text *texts;
	size_t n;
};

/* Of several texts in one attribute the first. */
static int on_attribute(struct vv_hdf5 *h, struct vv_span body, struct vv_err *err)
{
	struct wanted *w = h->attribute_ctx;
	struct vv_hdf5_attribute a;
	int ret = vv_hdf5_attribute_parse(body, &a, err);

	if (ret)
		return ret > 0 ? 0 : ret;
	for (size_t i = 0; i < w->n && !ret; i++) {
		if (w->texts[i].seen || !vv_hdf5_attribute_is(&a, w->texts[i].name))
			continue;
		/* Each is looked for once: a heap is searched from its start. */
		w->texts[i].seen = true;
		ret = vv_hdf5_attribute_text(h, &a, &w->texts[i].text, err);
	}
	return ret;
}

static int no_link(void *ctx VV_UNUSED, struct vv_span body VV_UNUSED, struct vv_err *err VV_UNUSED)
{
	return 0;
}

int vv_hdf5_texts(struct vv_hdf5_text *texts, size_t n, const struct vv_source *src, struct vv_err *err)
{
	struct wanted w = {texts, n};
	struct vv_arena arena = {0};
	struct vv_hdf5 h = {0};
	struct vv_hdf5_object o;
	uint64_t root;
	int ret = vv_hdf5_open(&h, src, 0, src->size, &arena, &root, err);

	h.attribute = on_attribute;
	h.attribute_ctx = &w;
	if (!ret)
		ret = vv_hdf5_object(&h, root, &o, no_link, NULL, err);
	vv_hdf5_release(&h);
	vv_arena_release(&arena);
	return ret;
}
