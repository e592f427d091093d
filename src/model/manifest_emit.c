#include "base/quote.h"
#include "model/manifest_text.h"

static void number(struct vv_buf *out, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	vv_buf_add(out, digits + i, sizeof(digits) - i);
}

static void id(struct vv_buf *out, const struct vv_id *v)
{
	char hex[VV_ID_HEX + 1];

	vv_buf_add(out, vv_id_hex(v, hex), VV_ID_HEX);
}

static void dims(struct vv_buf *out, const uint64_t *v, unsigned n)
{
	vv_buf_char(out, '[');
	for (unsigned i = 0; i < n; i++) {
		if (i)
			vv_buf_char(out, ',');
		number(out, v[i]);
	}
	vv_buf_char(out, ']');
}

/* `word "name" dtype [shape]`: how tensor and view lines begin. The name's first `skip` bytes are the file's path. */
static void tensor_words(struct vv_buf *out, const char *word, const struct vv_view *v, size_t skip, enum vv_dtype dt)
{
	vv_buf_str(out, word);
	vv_quote(out, vv_span_str(v->name + skip));
	vv_buf_char(out, ' ');
	vv_buf_str(out, vv_dtype_info(dt)->name);
	vv_buf_char(out, ' ');
	dims(out, v->shape, v->ndim);
	vv_buf_char(out, ' ');
}

static void strides(struct vv_buf *out, const struct vv_view *v)
{
	if (vv_view_contiguous(v))
		vv_buf_char(out, '-');
	else
		dims(out, v->stride, v->ndim);
	vv_buf_char(out, ' ');
}

static void view_line(struct vv_buf *out, const struct vv_view *v, size_t skip, enum vv_dtype dt)
{
	tensor_words(out, "view ", v, skip, dt);
	strides(out, v);
	number(out, v->offset);
	vv_buf_char(out, '\n');
}

static void packed_line(struct vv_buf *out, const struct vv_view *v, size_t skip, const struct vv_segment *s)
{
	tensor_words(out, "packed ", v, skip, s->dtype);
	strides(out, v);
	vv_buf_str(out, vv_coding_name(s->coding));
	vv_buf_char(out, ' ');
	number(out, s->skip);
	vv_buf_char(out, '\n');
}

static bool names_segment(const struct vv_segment *s, const struct vv_view *v)
{
	struct vv_view plain = *v;

	if (!vv_view_contiguous(v))
		return false;
	plain.stride = NULL;
	return vv_view_is_whole(s, &plain);
}

static int segment_lines(struct vv_buf *out, const struct vv_manifest_seg *ms, size_t skip, struct vv_err *err)
{
	const struct vv_segment *s = &ms->seg;
	size_t named = s->n_views;
	uint64_t numel;

	if (!s->n_views || s->coding) {
		vv_buf_str(out, "opaque ");
		number(out, s->len);
		vv_buf_char(out, ' ');
		id(out, &ms->id);
		vv_buf_char(out, '\n');
		for (size_t i = 0; i < s->n_views; i++)
			packed_line(out, &s->views[i], skip, s);
		return 0;
	}
	for (size_t i = 0; i < s->n_views && named == s->n_views; i++)
		if (names_segment(s, &s->views[i]))
			named = i;
	if (named < s->n_views) {
		tensor_words(out, "tensor ", &s->views[named], skip, s->dtype);
	} else {
		if (vv_segment_numel(s, &numel))
			return vv_fail(err, VV_EFORMAT, "tensor \"%s\": no whole number of elements",
				s->views[0].name);
		vv_buf_str(out, "storage ");
		vv_buf_str(out, vv_dtype_info(s->dtype)->name);
		vv_buf_char(out, ' ');
		number(out, numel);
		vv_buf_char(out, ' ');
	}
	id(out, &ms->id);
	vv_buf_char(out, '\n');
	for (size_t i = 0; i < s->n_views; i++)
		if (i != named)
			view_line(out, &s->views[i], skip, s->dtype);
	return 0;
}

static void finding_line(struct vv_buf *out, const struct vv_finding *f, size_t skip)
{
	vv_buf_str(out, "finding ");
	vv_quote(out, vv_span_str(f->code));
	vv_buf_char(out, ' ');
	number(out, f->off);
	vv_buf_char(out, ' ');
	vv_quote(out, vv_span_str(f->detail + skip));
	vv_buf_char(out, '\n');
}

static void file_line(struct vv_buf *out, const struct vv_manifest_file *f)
{
	vv_buf_str(out, "file ");
	vv_quote(out, vv_span_str(f->path));
	vv_buf_str(out, f->mode & 0100 ? " 755 " : " 644 ");
	vv_buf_str(out, f->format);
	vv_buf_char(out, ' ');
	number(out, f->size);
	vv_buf_char(out, ' ');
	id(out, &f->sha256);
	vv_buf_char(out, '\n');
}

static int file_lines(struct vv_buf *out, const struct vv_manifest *m, const struct vv_manifest_file *f, struct vv_err *err)
{
	size_t skip = strlen(f->path) + strlen(VV_TEXT_TENSOR_IN);
	int ret = 0;

	file_line(out, f);
	for (size_t i = 0; i < f->n_findings; i++)
		finding_line(out, &m->findings[f->finding + i], skip);
	if (strcmp(f->format, "opaque"))
		for (size_t i = 0; i < f->n_segs && !ret; i++)
			ret = segment_lines(out, &m->segs[f->seg + i], skip, err);
	return ret;
}

/* A directory's size, and the hash that says whether two are the same. */
static int sum_up(struct vv_manifest *m, struct vv_err *err)
{
	struct vv_buf line = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_sha256 h;
	int ret = vv_sha256_init(&h, err);

	if (ret)
		return ret;
	m->size = 0;
	for (size_t i = 0; i < m->n_files && !ret; i++) {
		vv_buf_clear(&line);
		file_line(&line, &m->files[i]);
		ret = vv_buf_check(&line, err);
		vv_sha256_update(&h, vv_buf_view(&line));
		m->size += m->files[i].size;
	}
	vv_sha256_final(&h, &m->sha256);
	vv_sha256_release(&h);
	vv_buf_release(&line);
	return ret;
}

int vv_manifest_emit(struct vv_manifest *m, struct vv_buf *out, struct vv_err *err)
{
	static const char root_word[] = "root ";
	size_t start = out->len, root_at, root_end;
	char hex[VV_ID_HEX + 1];
	struct vv_id root = {{0}};
	bool dir = vv_manifest_is_dir(m);
	int ret = dir ? sum_up(m, err) : 0;

	if (ret)
		return ret;
	vv_buf_str(out, VV_TEXT_LINE1 "\nformat ");
	vv_buf_str(out, m->format);
	vv_buf_str(out, "\nsize ");
	number(out, m->size);
	vv_buf_str(out, "\nsha256 ");
	id(out, &m->sha256);
	vv_buf_char(out, '\n');
	root_at = out->len;
	vv_buf_str(out, root_word);
	id(out, &root);
	vv_buf_char(out, '\n');
	root_end = out->len;
	for (size_t i = 0; i < m->n_findings && !dir; i++)
		finding_line(out, &m->findings[i], 0);
	vv_buf_char(out, '\n');
	for (size_t i = 0; i < m->n_files && !ret; i++)
		ret = file_lines(out, m, &m->files[i], err);
	for (size_t i = 0; i < m->n_segs && !dir && !ret; i++)
		ret = segment_lines(out, &m->segs[i], 0, err);
	if (!ret)
		ret = vv_buf_check(out, err);
	if (!ret)
		ret = vv_text_root(vv_span(out->ptr + start, root_at - start),
			vv_span(out->ptr + root_end, out->len - root_end), &root, err);
	if (ret)
		return ret;
	memcpy(out->ptr + root_at + strlen(root_word), vv_id_hex(&root, hex), VV_ID_HEX);
	m->root = root;
	return 0;
}
