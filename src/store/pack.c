/* Packs: opening one, finding in it, reading from it. */
#include "store/internal.h"

#include "base/check.h"
#include "base/le.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

static const char head_magic[] = "VVPACK\x01\x00";
static const char end_magic[] = "VVPKEND\n";

int entry_parse(const uint8_t *row, uint64_t end, struct entry *e)
{
	static const struct vv_id zero;
	uint64_t stop, rows;
	size_t block;

	memcpy(e->id.b, row, 32);
	memcpy(e->base.b, row + 32, 32);
	e->off = vv_get64(row + 64);
	e->stored = vv_get64(row + 72);
	e->size = vv_get64(row + 80);
	e->tail = vv_get32(row + 88);
	e->dtype = row[92];
	e->kind = row[93];
	e->depth = row[94];
	if (row[95] || e->kind > KIND_CHUNKS || e->dtype >= VV_DT_COUNT || e->depth > MAX_DEPTH)
		return 1;
	if (e->off < PACK_HEAD || vv_add_over(e->off, e->stored, &stop) || stop > end || e->tail > e->stored)
		return 1;
	if (!e->depth != vv_id_eq(&e->base, &zero) || (e->depth && e->kind != KIND_BLOCKS))
		return 1;
	/* Every block and chunk has a row in the record: a size that claims more is a lie. */
	if (e->kind == KIND_CHUNKS)
		return e->tail != e->stored || e->stored % CHUNK_ROW || vv_div_up(e->size, CHUNK_MAX) > e->stored / CHUNK_ROW;
	block = vv_block_bytes((enum vv_dtype)e->dtype);
	rows = vv_div_up(e->size, block);
	return rows > e->tail / BLOCK_ROW;
}

void entry_emit(struct vv_buf *out, const struct entry *e)
{
	vv_buf_add(out, e->id.b, 32);
	vv_buf_add(out, e->base.b, 32);
	vv_buf_le(out, e->off, 8);
	vv_buf_le(out, e->stored, 8);
	vv_buf_le(out, e->size, 8);
	vv_buf_le(out, e->tail, 4);
	vv_buf_le(out, e->dtype, 1);
	vv_buf_le(out, e->kind, 1);
	vv_buf_le(out, e->depth, 1);
	vv_buf_le(out, 0, 1);
}

void pack_entry(const struct pack *p, size_t i, struct entry *out)
{
	if (i >= p->n || entry_parse(p->index.ptr + i * PACK_ENTRY, p->footer_off, out))
		VV_BUG("an entry that was checked at open");
}

/* Checks every entry once, so that later reads may trust them, and fills the fanout. */
static int check_index(struct pack *p, struct vv_err *err)
{
	struct entry e;
	size_t b = 0;

	for (size_t i = 0; i < p->n; i++) {
		const uint8_t *row = p->index.ptr + i * PACK_ENTRY;
		if (entry_parse(row, p->footer_off, &e) || (i && memcmp(row - PACK_ENTRY, row, 32) >= 0))
			return vv_fail(err, VV_ECORRUPT, "%s: broken index entry at offset %" PRIu64, p->path,
				p->footer_off + i * PACK_ENTRY);
		while (b <= row[0])
			p->fanout[b++] = (uint32_t)i;
	}
	while (b <= 256)
		p->fanout[b++] = (uint32_t)p->n;
	return 0;
}

static int open_file(struct pack *p, int fd, struct vv_err *err)
{
	uint8_t head[PACK_HEAD], t[PACK_TRAILER];
	uint64_t bytes, n;
	struct stat st;

	if (fstat(fd, &st))
		return vv_fail_sys(err, errno, "%s", p->path);
	p->size = (uint64_t)st.st_size;
	p->mtime = st.st_mtim;
	if (p->size < PACK_HEAD + PACK_TRAILER)
		return vv_fail(err, VV_ECORRUPT, "%s: too short for a pack (%" PRIu64 " bytes)", p->path, p->size);
	if (pread(fd, head, sizeof(head), 0) != sizeof(head) ||
		pread(fd, t, sizeof(t), (off_t)(p->size - PACK_TRAILER)) != sizeof(t))
		return vv_fail_sys(err, errno ? errno : EIO, "%s", p->path);
	if (memcmp(head, head_magic, 6))
		return vv_fail(err, VV_ECORRUPT, "%s: not a pack", p->path);
	if (memcmp(head + 6, head_magic + 6, 2))
		return vv_fail(err, VV_ENOTSUP, "%s: written by a newer varve (pack version %u)", p->path, vv_get16(head + 6));
	p->footer_off = vv_get64(t);
	n = vv_get64(t + 8);
	if (memcmp(t + 24, end_magic, 8) || vv_mul_over(n, (uint64_t)PACK_ENTRY, &bytes) ||
		p->footer_off < PACK_HEAD || p->footer_off > p->size - PACK_TRAILER ||
		bytes != p->size - PACK_TRAILER - p->footer_off || n > UINT32_MAX)
		return vv_fail(err, VV_ECORRUPT, "%s: broken trailer at offset %" PRIu64, p->path, p->size - PACK_TRAILER);
	p->n = (size_t)n;
	if (vv_map_range(&p->index, fd, p->footer_off, (size_t)bytes, p->path, err))
		return err->code;
	if (XXH64(p->index.ptr, (size_t)bytes, 0) != vv_get64(t + 16))
		return vv_fail(err, VV_ECORRUPT, "%s: the index at offset %" PRIu64 " does not match its checksum", p->path,
			p->footer_off);
	return check_index(p, err);
}

int pack_open(struct pack **out, const char *path, const struct vv_id *name, struct vv_err *err)
{
	struct pack *p = calloc(1, sizeof(*p));
	int fd, ret;

	if (!p || !(p->path = strdup(path))) {
		free(p);
		return vv_fail_nomem(err);
	}
	p->fd = -1;
	p->name = *name;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		ret = vv_fail_sys(err, errno, "%s", path);
	} else {
		errno = 0;
		ret = open_file(p, fd, err);
		close(fd);
	}
	if (ret) {
		pack_free(p);
		return ret;
	}
	*out = p;
	return 0;
}

void pack_free(struct pack *p)
{
	if (!p)
		return;
	vv_unmap(&p->index, p->footer_off);
	if (p->fd >= 0)
		close(p->fd);
	free(p->path);
	free(p);
}

bool pack_find(const struct pack *p, const struct vv_id *id, size_t *at)
{
	size_t lo = p->fanout[id->b[0]], hi = p->fanout[id->b[0] + 1];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = memcmp(p->index.ptr + mid * PACK_ENTRY, id->b, 32);
		if (!c) {
			*at = mid;
			return true;
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

int pack_verify(const char *path, const struct vv_id *name, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	struct vv_sha256 sha = {NULL};
	uint8_t *buf = malloc(PIECE);
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	int ret = fd < 0 ? vv_fail_sys(err, errno, "%s", path) : buf ? vv_sha256_init(&sha, err) : vv_fail_nomem(err);
	struct vv_id id;

	while (!ret) {
		ssize_t n = read(fd, buf, PIECE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			ret = vv_fail_sys(err, errno, "%s", path);
		if (n <= 0)
			break;
		vv_sha256_update(&sha, vv_span(buf, (size_t)n));
	}
	if (!ret) {
		vv_sha256_final(&sha, &id);
		if (!vv_id_eq(&id, name))
			ret = vv_fail(err, VV_ECORRUPT, "%s: its bytes do not have the SHA-256 that it is named by", path);
	}
	vv_sha256_release(&sha);
	free(buf);
	if (fd >= 0)
		close(fd);
	return ret;
}

int pack_read(struct vv_store *s, struct pack *p, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	uint8_t *to = dst;
	int ret = 0, fd;

	if (off > p->size || len > p->size - off)
		return vv_fail(err, VV_ECORRUPT, "%s: %zu bytes at offset %" PRIu64 " lie past its end", p->path, len, off);
	pthread_mutex_lock(&s->lock);
	if (p->fd < 0) {
		p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		s->open_fds += p->fd >= 0;
	}
	fd = p->fd;
	if (fd < 0)
		ret = vv_fail_sys(err, errno, "%s", p->path);
	else
		p->refs++;
	pthread_mutex_unlock(&s->lock);
	if (ret)
		return ret;
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ret = n ? vv_fail_sys(err, errno, "%s at offset %" PRIu64, p->path, off)
				: vv_fail(err, VV_ECORRUPT, "%s: ends at offset %" PRIu64, p->path, off);
			break;
		}
		to += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	pthread_mutex_lock(&s->lock);
	if (!--p->refs && s->open_fds > FD_CACHE) {
		close(p->fd);
		p->fd = -1;
		s->open_fds--;
	}
	pthread_mutex_unlock(&s->lock);
	return ret;
}
