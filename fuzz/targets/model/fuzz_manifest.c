/*
 * What parses is what emitting yields, a directory also when it is put together from its files. The root line is first
 * made right, or nothing would get far.
 */
#include "hash/sha256.h"
#include "model/directory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each file out, and all of them in again. */
static void rebuild(const struct vv_manifest *m, struct vv_span text)
{
	struct vv_dir_build build = {0};
	struct vv_buf out = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err err = VV_ERR_INIT;
	size_t at;

	for (size_t i = m->n_files; i-- > 0;) {
		struct vv_manifest file;
		if (!vv_dir_find(m, m->files[i].path, &at) || at != i || vv_dir_file(m, i, &file, &err) ||
			vv_dir_build_put(&build, m->files[i].path, m->files[i].mode, &file, &err))
			abort();
		vv_manifest_release(&file);
	}
	if (vv_dir_build_end(&build, &out, NULL, &err) || !vv_span_eq(vv_buf_view(&out), text))
		abort();
	vv_buf_release(&out);
	vv_dir_build_release(&build);
}

static void same_again(struct vv_span text)
{
	struct vv_buf out = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_err err = VV_ERR_INIT;
	struct vv_manifest m;
	size_t seg, view;

	if (vv_manifest_parse(&m, text, &err)) {
		if (!err.code || !err.msg[0])
			abort();
		return;
	}
	if (vv_manifest_detect(text) != VV_TEXT_MANIFEST || vv_manifest_emit(&m, &out, &err) ||
		!vv_span_eq(vv_buf_view(&out), text))
		abort();
	for (size_t i = 0; i < m.n_segs; i++)
		if (m.segs[i].seg.n_views &&
			(!vv_manifest_find(&m, m.segs[i].seg.views[0].name, &seg, &view) || seg != i || view))
			abort();
	if (vv_manifest_is_dir(&m))
		rebuild(&m, text);
	vv_buf_release(&out);
	vv_manifest_release(&m);
}

/* Where "\nroot <64 bytes>\n" has its digits; 0 when there is no such line. */
static size_t find_root(struct vv_span text)
{
	for (size_t i = 0; i + 71 <= text.len; i++)
		if (!memcmp(text.ptr + i, "\nroot ", 6) && text.ptr[i + 70] == '\n')
			return i + 6;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_buf text = VV_BUF_INIT(VV_MAX_MANIFEST), rest = VV_BUF_INIT(VV_MAX_MANIFEST);
	struct vv_id root;
	char hex[VV_ID_HEX + 1];
	size_t at = find_root(vv_span(data, size));

	same_again(vv_span(data, size));
	if (at) {
		vv_buf_add(&text, data, size);
		vv_buf_add(&rest, data, at - 5);
		vv_buf_add(&rest, data + at + 65, size - at - 65);
		vv_sha256(vv_buf_view(&rest), &root);
		memcpy(text.ptr + at, vv_id_hex(&root, hex), VV_ID_HEX);
		same_again(vv_buf_view(&text));
	}
	vv_buf_release(&text);
	vv_buf_release(&rest);
	return 0;
}
