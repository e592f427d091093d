#include "model/assembly.h"

#include "os/file.h"

#include <stdlib.h>

static int fd_write(struct vv_sink *self, struct vv_span data, struct vv_err *err)
{
	struct vv_fd_sink *s = (struct vv_fd_sink *)self;
	int ret = vv_pwrite_fd(s->fd, data, s->len, s->path, err);

	s->len += data.len;
	vv_progress(s->prog, "writing", s->len, s->expected > s->len ? s->expected : s->len);
	return ret;
}

void vv_fd_sink_init(
	struct vv_fd_sink *s, int fd, const char *path, uint64_t expected, struct vv_progress *prog)
{
	*s = (struct vv_fd_sink){
		.base = {fd_write}, .fd = fd, .path = path, .expected = expected, .prog = prog};
}

static int hash_write(struct vv_sink *self, struct vv_span data, struct vv_err *err VV_UNUSED)
{
	vv_sha256_update(&((struct vv_hash_sink *)self)->sha, data);
	return 0;
}

int vv_hash_sink_init(struct vv_hash_sink *s, struct vv_err *err)
{
	s->base.write = hash_write;
	return vv_sha256_init(&s->sha, err);
}

static const struct vv_format *format_of(const struct vv_manifest *m)
{
	return vv_format_find(vv_span_str(m->format));
}

bool vv_can_assemble(const struct vv_manifest *m)
{
	const struct vv_format *f = format_of(m);
	size_t packed = 0, tensors = 0;

	for (size_t i = 0; i < m->n_segs; i++) {
		packed += m->segs[i].seg.coding != 0;
		tensors += m->segs[i].seg.n_views != 0;
	}
	/* With nothing but packed tensors there is none to take from here or there. */
	return f && f->assemble && (tensors ? packed < tensors : !f->sets);
}

const char *vv_assembly_sets(const struct vv_manifest *m)
{
	const struct vv_format *f = format_of(m);

	return f ? f->sets : NULL;
}

/* The layout that locating the file would yield, less its findings: assemblers do not look at them. */
static int layout_of(struct vv_layout *l, const struct vv_manifest *m, struct vv_err *err)
{
	struct vv_segment *segs;

	*l = (struct vv_layout){.format = format_of(m), .n_segs = m->n_segs, .size = m->size};
	if (!l->format)
		return vv_fail(err, VV_ENOTSUP, "this varve does not know the format \"%s\"", m->format);
	segs = vv_arena_array(&l->arena, m->n_segs, sizeof(*segs));
	if (!segs)
		return vv_fail_nomem(err);
	for (size_t i = 0; i < m->n_segs; i++)
		segs[i] = m->segs[i].seg;
	l->segs = segs;
	return 0;
}

int vv_assemble_picks(const struct vv_version *skeleton, const struct vv_pick *picks, size_t n,
	struct vv_sink *out, struct vv_err *err)
{
	struct vv_layout layout = {0};
	struct vv_tensor_source *sources = calloc(n ? n : 1, sizeof(*sources));
	struct vv_part *parts = calloc(n ? n : 1, sizeof(*parts));
	int ret = sources && parts ? layout_of(&layout, skeleton->m, err) : vv_fail_nomem(err);

	for (size_t i = 0; i < n && !ret; i++) {
		struct vv_tensor t;

		ret = vv_tensor_at(&t, picks[i].from->m, picks[i].seg, picks[i].view, err);
		if (!ret)
			ret = vv_tensor_open(&sources[i], picks[i].from, &t, err);
		if (!ret)
			parts[i] = (struct vv_part){.name = picks[i].name ? picks[i].name : t.view->name,
				.dtype = t.seg->seg.dtype,
				.ndim = t.view->ndim,
				.shape = t.view->shape,
				.len = t.len,
				.bytes = &sources[i].base};
	}
	if (!ret) {
		struct vv_assembly a = {&layout, skeleton->bytes, parts, n};
		ret = vv_assemble(&a, out, err);
	}
	for (size_t i = 0; sources && i < n; i++)
		vv_tensor_close(&sources[i]);
	vv_arena_release(&layout.arena);
	free(sources);
	free(parts);
	return ret;
}
