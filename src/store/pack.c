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
enum { INDEX_READ = 16 << 10 };

int entry_parse(const uint8_t *row, const uint8_t *bases, size_t n_bases, uint64_t end, struct entry *e)
{
	uint32_t base = vv_get32(row + 54);

	*e = (struct entry){.off = get48(row + 32), .stored = get48(row + 38), .size = get48(row + 44),
		.tail = vv_get32(row + 50), .dtype = row[58], .kind = row[59], .depth = row[60]};
	memcpy(e->id.b, row, VV_ID_BYTES);
	if (row[61] || row[62] || row[63] || e->kind > KIND_CHUNKS || e->dtype >= VV_DT_COUNT || e->depth > MAX_DEPTH)
		return 1;
	if (e->off < PACK_HEAD || e->off > end || e->stored > end - e->off || !entry_fits(e))
		return 1;
	if (!e->depth)
		return base != 0;
	if (base >= n_bases)
		return 1;
	memcpy(e->base.b, bases + (size_t)base * VV_ID_BYTES, VV_ID_BYTES);
	return 0;
}

void entry_emit(struct vv_buf *out, const struct entry *e, uint32_t base)
{
	vv_buf_add(out, e->id.b, VV_ID_BYTES);
	vv_buf_le(out, e->off, 6);
	vv_buf_le(out, e->stored, 6);
	vv_buf_le(out, e->size, 6);
	vv_buf_le(out, e->tail, 4);
	vv_buf_le(out, e->depth ? base : 0, 4);
	vv_buf_le(out, e->dtype, 1);
	vv_buf_le(out, e->kind, 1);
	vv_buf_le(out, e->depth, 1);
	vv_buf_le(out, 0, 3);
}

static int parse_at(const struct pack *p, size_t i, struct entry *out)
{
	return entry_parse(
		p->index.ptr + i * PACK_ENTRY, p->index.ptr + p->n * PACK_ENTRY, p->n_bases, p->footer_off, out);
}

void pack_entry(const struct pack *p, size_t i, struct entry *out)
{
	if (i >= p->n || parse_at(p, i, out))
		VV_BUG("an entry that was checked at open");
}

/* Checks every entry once, so that later reads may trust them, and fills the fanout. */
static int check_index(struct pack *p, struct vv_err *err)
{
	struct entry e;
	size_t b = 0;

	for (size_t i = 0; i < p->n; i++) {
		const uint8_t *row = p->index.ptr + i * PACK_ENTRY;
		if (parse_at(p, i, &e) || (i && memcmp(row - PACK_ENTRY, row, VV_ID_BYTES) >= 0))
			return vv_fail(err, VV_ECORRUPT, "pack %s: broken index entry at offset %" PRIu64, p->hex,
				p->footer_off + i * PACK_ENTRY);
		while (b <= row[0])
			p->fanout[b++] = (uint32_t)i;
	}
	while (b <= 256)
		p->fanout[b++] = (uint32_t)p->n;
	return 0;
}

/* What the last PACK_TRAILER bytes say, against the file's size. */
static int parse_trailer(struct pack *p, const uint8_t *t, size_t *bytes, struct vv_err *err)
{
	uint64_t n;

	p->footer_off = vv_get64(t);
	p->n = vv_get32(t + 8);
	p->n_bases = vv_get32(t + 12);
	n = (uint64_t)p->n * PACK_ENTRY + (uint64_t)p->n_bases * VV_ID_BYTES;
	if (memcmp(t + 24, end_magic, 8) || p->footer_off < PACK_HEAD || p->footer_off > p->size - PACK_TRAILER ||
		n != p->size - PACK_TRAILER - p->footer_off || vv_to_size(n, bytes))
		return vv_fail(err, VV_ECORRUPT, "pack %s: broken trailer at offset %" PRIu64, p->hex, p->size - PACK_TRAILER);
	return 0;
}

/* A short index is read with the trailer; a long one is mapped. */
static int read_index(struct pack *p, int fd, struct vv_err *err)
{
	uint8_t end[INDEX_READ];
	size_t have = (size_t)vv_min64(p->size, sizeof(end)), bytes = 0;
	const uint8_t *t = end + have - PACK_TRAILER;
	int ret;

	errno = 0;
	if (pread(fd, end, have, (off_t)(p->size - have)) != (ssize_t)have)
		return vv_fail_sys(err, errno ? errno : EIO, "pack %s", p->hex);
	ret = parse_trailer(p, t, &bytes, err);
	if (ret)
		return ret;
	p->mapped = bytes > have - PACK_TRAILER;
	if (p->mapped) {
		ret = vv_map_range(&p->index, fd, p->footer_off, bytes, p->hex, err);
	} else {
		uint8_t *copy = malloc(bytes + 1);
		if (!copy)
			return vv_fail_nomem(err);
		memcpy(copy, t - bytes, bytes);
		p->index = (struct vv_map_file){copy, bytes};
	}
	if (!ret && XXH64(p->index.ptr, bytes, 0) != vv_get64(t + 16))
		ret = vv_fail(err, VV_ECORRUPT, "pack %s: the index at offset %" PRIu64 " does not match its checksum", p->hex,
			p->footer_off);
	return ret ? ret : check_index(p, err);
}

static int open_file(struct pack *p, int fd, struct vv_err *err)
{
	uint8_t head[PACK_HEAD];
	struct stat st;

	if (fstat(fd, &st))
		return vv_fail_sys(err, errno, "pack %s", p->hex);
	p->size = (uint64_t)st.st_size;
	p->mtime = st.st_mtim;
	if (p->size < PACK_HEAD + PACK_TRAILER)
		return vv_fail(err, VV_ECORRUPT, "pack %s: too short for a pack (%" PRIu64 " bytes)", p->hex, p->size);
	errno = 0;
	if (pread(fd, head, sizeof(head), 0) != sizeof(head))
		return vv_fail_sys(err, errno ? errno : EIO, "pack %s", p->hex);
	if (memcmp(head, head_magic, 6))
		return vv_fail(err, VV_ECORRUPT, "pack %s: does not begin like a pack", p->hex);
	if (memcmp(head + 6, head_magic + 6, 2))
		return vv_fail(err, VV_ENOTSUP, "pack %s: written by a newer varve (pack version %u)", p->hex, vv_get16(head + 6));
	return read_index(p, fd, err);
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
	vv_id_hex(name, p->hex);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) {
		ret = vv_fail_sys(err, errno, "%s", path);
	} else {
		ret = open_file(p, fd, err);
		close(fd);
	}
	if (ret)
		pack_free(p);
	else
		*out = p;
	return ret;
}

void pack_free(struct pack *p)
{
	if (!p)
		return;
	if (p->mapped)
		vv_unmap(&p->index, p->footer_off);
	else
		free((void *)(uintptr_t)p->index.ptr);
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
		int c = memcmp(p->index.ptr + mid * PACK_ENTRY, id->b, VV_ID_BYTES);
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
	char hex[VV_ID_HEX + 1];
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
			ret = vv_fail(err, VV_ECORRUPT, "pack %s: its bytes have another SHA-256", vv_id_hex(name, hex));
	}
	vv_sha256_release(&sha);
	free(buf);
	if (fd >= 0)
		close(fd);
	return ret;
}

/* A descriptor, held until let_go. VV_ENOTFOUND when the file is not where it was last seen. */
static int hold(struct vv_store *s, struct pack *p, int *fd, struct vv_err *err)
{
	int ret = 0;

	pthread_mutex_lock(&s->lock);
	if (p->fd < 0) {
		p->fd = open(p->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		s->open_fds += p->fd >= 0;
	}
	*fd = p->fd;
	if (p->fd < 0)
		ret = vv_fail_sys(err, errno, "%s", p->path);
	else
		p->refs++;
	pthread_mutex_unlock(&s->lock);
	return ret;
}

static void let_go(struct vv_store *s, struct pack *p)
{
	pthread_mutex_lock(&s->lock);
	if (!--p->refs && s->open_fds > FD_CACHE) {
		close(p->fd);
		p->fd = -1;
		s->open_fds--;
	}
	pthread_mutex_unlock(&s->lock);
}

/* gc or a merge moved or removed it: look where it is. */
static int hold_again(struct vv_store *s, struct pack *p, int *fd, struct vv_err *err)
{
	int ret = vv_store_refresh(s, err);

	if (ret)
		return ret;
	ret = hold(s, p, fd, err);
	if (ret == VV_ENOTFOUND) {
		pthread_mutex_lock(&s->lock);
		s->losses++;
		pthread_mutex_unlock(&s->lock);
	}
	return ret;
}

int pack_read(struct vv_store *s, struct pack *p, uint64_t off, void *dst, size_t len, struct vv_err *err)
{
	uint8_t *to = dst;
	int ret, fd;

	if (off > p->size || len > p->size - off)
		return vv_fail(err, VV_ECORRUPT, "pack %s: %zu bytes at offset %" PRIu64 " lie past its end", p->hex, len, off);
	ret = hold(s, p, &fd, err);
	if (ret == VV_ENOTFOUND)
		ret = hold_again(s, p, &fd, err);
	if (ret)
		return ret;
	while (len) {
		ssize_t n = pread(fd, to, len, (off_t)off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			ret = n ? vv_fail_sys(err, errno, "pack %s at offset %" PRIu64, p->hex, off)
				: vv_fail(err, VV_ECORRUPT, "pack %s: ends at offset %" PRIu64, p->hex, off);
			break;
		}
		to += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	let_go(s, p);
	return ret;
}
