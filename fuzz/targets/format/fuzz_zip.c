/* An archive that is read can be written: as it is, with another payload, or into a new one. */
#include "format/zip.h"

#include "check.h"

enum { MAX_LOADED = 1 << 20 };

static void check_same(const struct vv_zip *z, const struct vv_source *src, struct vv_span file)
{
	const struct vv_source **none = calloc(z->n + 1, sizeof(*none));
	struct memsink out = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;

	MUST(none && !vv_zip_rewrite(z, src, none, 64, &out.base, &err));
	MUST(vv_span_eq(vv_buf_view(&out.bytes), file));
	vv_buf_release(&out.bytes);
	free(none);
}

static void check_loads(const struct vv_zip *z, const struct vv_source *src)
{
	for (size_t i = 0; i < z->n; i++) {
		struct vv_buf raw = VV_BUF_INIT(MAX_LOADED);
		struct vv_err err = VV_ERR_INIT;
		bool ok;

		if (!vv_zip_load(src, &z->members[i], &raw, &ok, &err))
			MUST(raw.len == z->members[i].raw_len);
		else
			MUST(!raw.len && err.msg[0]);
		vv_buf_release(&raw);
	}
}

/* The same members, of which `changed` has the bytes `text`. */
static void check_like(const struct vv_zip *z, struct vv_span file, size_t changed, struct vv_span text)
{
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem mem;
	struct vv_zip now;

	vv_source_mem_init(&mem, file);
	MUST(!vv_zip_read(&now, &mem.base, &arena, &err));
	MUST(now.n == z->n);
	for (size_t i = 0; i < z->n; i++)
		MUST(!strcmp(now.members[i].name, z->members[i].name) &&
			now.members[i].len == (i == changed ? text.len : z->members[i].len));
	if (changed < z->n) {
		struct vv_buf raw = VV_BUF_INIT(MAX_LOADED);
		bool ok = false;
		MUST(!vv_zip_load(&mem.base, &now.members[changed], &raw, &ok, &err) && ok);
		MUST(vv_span_eq(vv_buf_view(&raw), text));
		vv_buf_release(&raw);
	}
	vv_arena_release(&arena);
}

static void check_changed(const struct vv_zip *z, const struct vv_source *src, size_t i, unsigned align)
{
	static const char text[] = "a payload of another length, most probably";
	const struct vv_source **replaced = calloc(z->n + 1, sizeof(*replaced));
	struct memsink out = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem bytes;
	int ret;

	MUST(replaced);
	vv_source_mem_init(&bytes, vv_span_str(text));
	replaced[i] = &bytes.base;
	ret = vv_zip_rewrite(z, src, replaced, align, &out.base, &err);
	MUST(!ret || (ret == VV_ENOTSUP && err.msg[0]));
	if (!ret)
		check_like(z, vv_buf_view(&out.bytes), i, vv_span_str(text));
	vv_buf_release(&out.bytes);
	free(replaced);
}

static void check_kept(const struct vv_zip *z, const struct vv_source *src)
{
	struct memsink out = MEMSINK_INIT;
	struct vv_err err = VV_ERR_INIT;
	struct vv_zip_writer w;
	int ret = 0;

	vv_zip_writer_init(&w, &out.base);
	for (size_t i = 0; i < z->n && !ret; i++)
		ret = vv_zip_writer_keep(&w, &z->members[i], src, &err);
	if (!ret)
		ret = vv_zip_writer_end(&w, &err);
	MUST(!ret || ret == VV_ENOTSUP);
	if (!ret)
		check_like(z, vv_buf_view(&out.bytes), z->n, vv_span(NULL, 0));
	vv_zip_writer_release(&w);
	vv_buf_release(&out.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vv_arena arena = {0};
	struct vv_err err = VV_ERR_INIT;
	struct vv_source_mem mem;
	struct vv_zip z;

	vv_source_mem_init(&mem, vv_span(data, size));
	(void)vv_zip_trails(&mem.base);
	if (!vv_zip_read(&z, &mem.base, &arena, &err)) {
		check_same(&z, &mem.base, vv_span(data, size));
		check_loads(&z, &mem.base);
		check_kept(&z, &mem.base);
		for (size_t i = 0; i < z.n && i < 4; i++)
			check_changed(&z, &mem.base, i, data[size / 2] & 1 ? 64 : 1);
	} else {
		MUST(err.msg[0] && (err.code == VV_EFORMAT || err.code == VV_ELIMIT));
		check_loads(&z, &mem.base);
	}
	vv_arena_release(&arena);
	return 0;
}
