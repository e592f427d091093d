#define _GNU_SOURCE
#include "cli/tar.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

/* The largest that eleven octal digits hold. */
#define USTAR_MAX_SIZE UINT64_C(077777777777)

static int octal(const char *field, size_t len, uint64_t *out)
{
	size_t i = 0, digits = 0;

	*out = 0;
	while (i < len && field[i] == ' ')
		i++;
	for (; i < len && field[i] >= '0' && field[i] <= '7'; i++, digits++)
		*out = *out << 3 | (uint64_t)(field[i] - '0');
	return !digits || (i < len && field[i] != 0 && field[i] != ' ');
}

static unsigned checksum(const struct vv_tar_header *h)
{
	const uint8_t *p = (const uint8_t *)h;
	unsigned sum = 0;

	/* The field itself counts as spaces. */
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += i - offsetof(struct vv_tar_header, checksum) < sizeof(h->checksum) ? ' ' : p[i];
	return sum;
}

int vv_tar_parse(const struct vv_tar_header *h, uint64_t *size)
{
	uint64_t sum;

	return memcmp(h->magic, "ustar", 5) || octal(h->checksum, sizeof(h->checksum), &sum) || sum != checksum(h) ||
		octal(h->size, sizeof(h->size), size);
}

size_t vv_tar_padding(uint64_t size)
{
	return (size_t)((VV_TAR_BLOCK - size % VV_TAR_BLOCK) % VV_TAR_BLOCK);
}

/* The value of the last "<len> <key>=<value>\n" with that key. */
static bool pax_find(struct vv_span pax, const char *key, struct vv_span *value)
{
	size_t key_len = strlen(key);
	bool found = false;

	while (pax.len) {
		size_t len = 0, at = 0;
		while (at < pax.len && at < 8 && pax.ptr[at] >= '0' && pax.ptr[at] <= '9')
			len = len * 10 + (size_t)(pax.ptr[at++] - '0');
		if (!at || at >= pax.len || pax.ptr[at++] != ' ' || len > pax.len || len <= at || pax.ptr[len - 1] != '\n')
			return found;
		if (len - at > key_len + 1 && !memcmp(pax.ptr + at, key, key_len) && pax.ptr[at + key_len] == '=') {
			*value = vv_span(pax.ptr + at + key_len + 1, len - 1 - (at + key_len + 1));
			found = true;
		}
		pax = vv_span(pax.ptr + len, pax.len - len);
	}
	return found;
}

bool vv_tar_pax_size(struct vv_span pax, uint64_t *size)
{
	struct vv_span v;
	uint64_t n = 0;

	if (!pax_find(pax, "size", &v) || !v.len || v.len > 19)
		return false;
	for (size_t i = 0; i < v.len; i++) {
		if (v.ptr[i] < '0' || v.ptr[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(v.ptr[i] - '0');
	}
	*size = n;
	return true;
}

char *vv_tar_path(const struct vv_tar_header *h, struct vv_span pax)
{
	struct vv_span v;
	char *path = NULL;

	if (pax_find(pax, "path", &v))
		return strndup((const char *)v.ptr, v.len);
	if (asprintf(&path, "%.*s%s%.*s", (int)sizeof(h->prefix), h->prefix, h->prefix[0] ? "/" : "", (int)sizeof(h->name),
		    h->name) < 0)
		return NULL;
	return path;
}

/* A record's length counts its own digits. */
static void pax_record(struct vv_buf *out, const char *key, uint64_t value)
{
	char rest[64], digits[16];
	size_t n = (size_t)snprintf(rest, sizeof(rest), " %s=%" PRIu64 "\n", key, value), len = n + 1;

	while ((size_t)snprintf(digits, sizeof(digits), "%zu", len) + n != len)
		len++;
	vv_buf_fmt(out, "%s%s", digits, rest);
}

void vv_tar_set(struct vv_tar_header *h, const char *path, unsigned mode, struct vv_buf *pax)
{
	size_t n = strlen(path), len;
	char digits[24];

	memset(h->name, 0, sizeof(h->name));
	memset(h->prefix, 0, sizeof(h->prefix));
	memcpy(h->name, path, n < sizeof(h->name) ? n : sizeof(h->name));
	/* git writes what umask leaves of it. */
	snprintf(h->mode, sizeof(h->mode), "%07o", mode == 0755 ? 0775 : 0664);
	if (n <= sizeof(h->name))
		return;
	n += strlen(" path=\n");
	len = n + 1;
	while ((size_t)snprintf(digits, sizeof(digits), "%zu", len) + n != len)
		len++;
	vv_buf_fmt(pax, "%s path=%s\n", digits, path);
}

static void put_header(struct vv_buf *out, struct vv_tar_header *h, uint64_t size)
{
	snprintf(h->size, sizeof(h->size), "%011" PRIo64, size);
	snprintf(h->checksum, sizeof(h->checksum), "%07o", checksum(h));
	vv_buf_add(out, h, sizeof(*h));
}

void vv_tar_emit(struct vv_buf *out, const struct vv_tar_header *h, struct vv_span pax, uint64_t size,
	const char *pax_name)
{
	static const uint8_t zeros[VV_TAR_BLOCK];
	struct vv_buf records = VV_BUF_INIT(VV_MAX_TEXT);
	struct vv_tar_header own = *h;

	vv_buf_span(&records, pax);
	if (size > USTAR_MAX_SIZE)
		pax_record(&records, "size", size);
	if (records.len) {
		struct vv_tar_header x = *h;
		memset(x.name, 0, sizeof(x.name));
		memset(x.prefix, 0, sizeof(x.prefix));
		snprintf(x.name, sizeof(x.name), "%.80s.paxheader", pax_name);
		x.type = 'x';
		put_header(out, &x, records.len);
		vv_buf_span(out, vv_buf_view(&records));
		vv_buf_add(out, zeros, vv_tar_padding(records.len));
	}
	put_header(out, &own, size > USTAR_MAX_SIZE ? 0 : size);
	vv_buf_release(&records);
}
