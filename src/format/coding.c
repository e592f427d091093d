#include "format/coding.h"

#include "base/check.h"
#include "base/le.h"

#include <inttypes.h>
#include <stdlib.h>
#include <zlib.h>

enum {
	PIECE = 64 << 10,  /* even: the sum is of pairs of bytes */
	FIRST = 1 << 20,   /* bytes that are taken before any has come out */
	MAX_RATIO = 1032,  /* deflate: two bits for 258 bytes */
	SUM = 4,
};

static const struct {
	uint8_t coding;
	const char *name;
} names[] = {{VV_CODE_DEFLATE, "deflate"}, {VV_CODE_ZLIB, "zlib"}, {VV_CODE_ZLIB | VV_CODE_FLETCHER32, "zlib-fletcher32"},
	{VV_CODE_SHUFFLE, "shuffle"}, {VV_CODE_SHUFFLE | VV_CODE_FLETCHER32, "shuffle-fletcher32"},
	{VV_CODE_SHUFFLE | VV_CODE_ZLIB, "shuffle-zlib"},
	{VV_CODE_SHUFFLE | VV_CODE_ZLIB | VV_CODE_FLETCHER32, "shuffle-zlib-fletcher32"}, {VV_CODE_FLETCHER32, "fletcher32"}};

const char *vv_coding_name(unsigned coding)
{
	for (size_t i = 0; i < VV_COUNT(names); i++)
		if (names[i].coding == coding)
			return names[i].name;
	return NULL;
}

int vv_coding_find(unsigned *out, struct vv_span name)
{
	for (size_t i = 0; i < VV_COUNT(names); i++)
		if (vv_span_is(name, names[i].name)) {
			*out = names[i].coding;
			return 0;
		}
	return 1;
}

bool vv_coding_holds(unsigned coding, uint64_t len, enum vv_dtype dt, uint64_t skip, uint64_t bytes)
{
	uint64_t all;

	if (!vv_coding_name(coding) || vv_add_over(skip, bytes, &all) || bytes % vv_dtype_width(dt))
		return false;
	/* The elements' bytes are not where they were: nothing can stand before them. */
	if (coding & VV_CODE_SHUFFLE && skip)
		return false;
	if (coding & VV_CODE_FLETCHER32 && vv_sub_over(len, (uint64_t)SUM, &len))
		return false;
	return coding & (VV_CODE_DEFLATE | VV_CODE_ZLIB) ? vv_div_up(all, MAX_RATIO) <= len : all == len;
}

/* --- inflating --- */

struct inflater {
	z_stream z;
	const struct vv_source *src;
	uint64_t at, end; /* of what is still to be read */
	bool done;
	uint8_t in[PIECE / 4];
};

static int inflater_init(struct inflater *f, bool bare, const struct vv_source *src, uint64_t off, uint64_t len,
	struct vv_err *err)
{
	*f = (struct inflater){.src = src, .at = off, .end = off + len};
	return inflateInit2(&f->z, bare ? -MAX_WBITS : MAX_WBITS) == Z_OK ? 0 : vv_fail_nomem(err);
}

/* Up to `n` bytes more; fewer only at the end. */
static int inflater_next(struct inflater *f, uint8_t *out, size_t n, size_t *made, struct vv_err *err)
{
	f->z.next_out = out;
	f->z.avail_out = (uInt)n;
	while (f->z.avail_out && !f->done) {
		int ret, z;

		if (!f->z.avail_in && f->at < f->end) {
			size_t k = (size_t)vv_min64(sizeof(f->in), f->end - f->at);
			ret = vv_source_read(f->src, f->at, f->in, k, err);
			if (ret)
				return ret;
			f->z.next_in = f->in;
			f->z.avail_in = (uInt)k;
			f->at += k;
		}
		z = inflate(&f->z, Z_NO_FLUSH);
		f->done = z == Z_STREAM_END;
		if (z == Z_MEM_ERROR)
			return vv_fail_nomem(err);
		if (z != Z_OK && !f->done)
			return vv_fail(err, VV_EFORMAT, "a stream that does not inflate, before offset %" PRIu64, f->at);
	}
	*made = n - f->z.avail_out;
	return 0;
}

static int skip_bytes(struct inflater *f, uint64_t skip, struct vv_err *err)
{
	uint8_t piece[4096];
	int ret = 0;

	while (skip && !ret) {
		size_t n = (size_t)vv_min64(sizeof(piece), skip), made = 0;
		ret = inflater_next(f, piece, n, &made, err);
		if (!ret && made < n)
			ret = vv_fail(err, VV_EFORMAT, "a stream that ends before its elements, at offset %" PRIu64, f->end);
		skip -= n;
	}
	return ret;
}

/* All of the rest, which must be `bytes`; memory grows with what has come out. */
static int inflate_rest(uint8_t **out, struct inflater *f, size_t bytes, struct vv_err *err)
{
	size_t cap = bytes < FIRST ? bytes : FIRST, len = 0, made = 0;
	uint8_t *p = malloc(cap + 1), more;
	int ret = p ? 0 : vv_fail_nomem(err);

	while (!ret && len < bytes) {
		if (len == cap) {
			cap = bytes - cap < cap ? bytes : cap * 2;
			uint8_t *grown = realloc(p, cap + 1);
			if (!grown) {
				ret = vv_fail_nomem(err);
				break;
			}
			p = grown;
		}
		/* zlib counts in 32 bits. */
		ret = inflater_next(f, p + len, cap - len < (size_t)FIRST << 4 ? cap - len : (size_t)FIRST << 4, &made, err);
		len += made;
		if (!ret && f->done)
			break;
	}
	if (!ret)
		ret = inflater_next(f, &more, 1, &made, err);
	if (!ret && (len != bytes || made || f->at != f->end || f->z.avail_in))
		ret = vv_fail(err, VV_EFORMAT, "a stream that is not what it is said to be, up to offset %" PRIu64, f->end);
	if (ret)
		free(p);
	else
		*out = p;
	return ret;
}

static int inflate_all(uint8_t **out, bool bare, const struct vv_source *src, uint64_t off, uint64_t len, uint64_t skip,
	size_t bytes, struct vv_err *err)
{
	struct inflater *f = malloc(sizeof(*f));
	int ret = f ? inflater_init(f, bare, src, off, len, err) : vv_fail_nomem(err);

	if (!ret) {
		ret = skip_bytes(f, skip, err);
		if (!ret)
			ret = inflate_rest(out, f, bytes, err);
		inflateEnd(&f->z);
	}
	free(f);
	return ret;
}

/* --- the other steps --- */

static uint32_t folded(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/* Of the `len` bytes before it; a last odd byte counts as the high one of a pair. */
static int check_sum(const struct vv_source *src, uint64_t off, uint64_t len, struct vv_err *err)
{
	uint8_t piece[PIECE / 4], sum[SUM];
	uint64_t a = 0, b = 0;
	int ret = vv_source_read(src, off + len, sum, sizeof(sum), err);

	for (uint64_t at = 0; at < len && !ret; at += sizeof(piece)) {
		size_t n = (size_t)vv_min64(sizeof(piece), len - at);
		ret = vv_source_read(src, off + at, piece, n, err);
		for (size_t i = 0; i < n && !ret; i += 2) {
			a += (uint64_t)piece[i] << 8 | (i + 1 < n ? piece[i + 1] : 0);
			b += a;
		}
		a = folded(a);
		b = folded(b);
	}
	if (!ret && vv_get32(sum) != ((uint32_t)b << 16 | (uint32_t)a))
		ret = vv_fail(err, VV_EFORMAT, "a wrong sum at offset %" PRIu64, off + len);
	return ret;
}

static int read_all(uint8_t **out, const struct vv_source *src, uint64_t off, uint64_t skip, size_t bytes,
	struct vv_err *err)
{
	uint8_t *p, last;
	/* Memory is only taken for bytes that are there. */
	int ret = bytes ? vv_source_read(src, off + skip + bytes - 1, &last, 1, err) : 0;

	if (ret)
		return ret;
	p = malloc(bytes + 1);
	ret = p ? vv_source_read(src, off + skip, p, bytes, err) : vv_fail_nomem(err);
	if (ret)
		free(p);
	else
		*out = p;
	return ret;
}

static int unshuffle(uint8_t **data, size_t bytes, size_t width, struct vv_err *err)
{
	size_t n = bytes / width;
	uint8_t *p = malloc(bytes + 1);

	if (!p)
		return vv_fail_nomem(err);
	for (size_t j = 0; j < width; j++)
		for (size_t i = 0; i < n; i++)
			p[i * width + j] = (*data)[j * n + i];
	free(*data);
	*data = p;
	return 0;
}

int vv_coding_decode(uint8_t **out, unsigned coding, enum vv_dtype dt, const struct vv_source *src, uint64_t off,
	uint64_t len, uint64_t skip, uint64_t bytes, struct vv_err *err)
{
	uint8_t *data = NULL;
	size_t n;
	int ret = 0;

	if (!vv_coding_holds(coding, len, dt, skip, bytes) || off > src->size || len > src->size - off)
		return vv_fail(err, VV_EFORMAT, "%" PRIu64 " coded bytes at offset %" PRIu64 " do not hold the tensor", len, off);
	if (vv_to_size(bytes, &n) || n == SIZE_MAX)
		return vv_fail(err, VV_ELIMIT, "a tensor of %" PRIu64 " bytes is too large", bytes);
	if (coding & VV_CODE_FLETCHER32) {
		len -= SUM;
		ret = check_sum(src, off, len, err);
	}
	if (!ret)
		ret = coding & (VV_CODE_DEFLATE | VV_CODE_ZLIB)
			? inflate_all(&data, coding & VV_CODE_DEFLATE, src, off, len, skip, n, err)
			: read_all(&data, src, off, skip, n, err);
	if (!ret && coding & VV_CODE_SHUFFLE)
		ret = unshuffle(&data, n, vv_dtype_width(dt), err);
	if (ret)
		free(data);
	else
		*out = data;
	return ret;
}

/* --- a stream's start --- */

static int read_head(const struct vv_source *self, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	const struct vv_inflated_head *h = (const struct vv_inflated_head *)self;
	struct inflater *f;
	size_t made = 0;
	int ret;

	if (off + len > VV_MAX_INFLATED_HEAD)
		return vv_fail(err, VV_ELIMIT, "more than is inflated of the stream at offset %" PRIu64, h->off);
	f = malloc(sizeof(*f));
	ret = f ? inflater_init(f, true, h->src, h->off, h->len, err) : vv_fail_nomem(err);
	if (!ret) {
		ret = skip_bytes(f, off, err);
		if (!ret)
			ret = inflater_next(f, dst, len, &made, err);
		if (!ret && made < len)
			ret = vv_fail(err, VV_EFORMAT, "a stream shorter than it claims, at offset %" PRIu64, h->off);
		inflateEnd(&f->z);
	}
	free(f);
	return ret;
}

void vv_inflated_head_init(struct vv_inflated_head *h, const struct vv_source *src, uint64_t off, uint64_t len,
	uint64_t claimed)
{
	*h = (struct vv_inflated_head){{claimed, read_head}, src, off, len};
}
