/*
 * OpenSSL's older calls: they work in the caller's memory and start nothing up, so that they cannot
 * fail half-way (OpenSSL 3.0 crashes when memory runs out while it starts up), and a short-lived
 * filter does not read openssl.cnf. The code below them is the same.
 */
#define OPENSSL_API_COMPAT 10100
#include "hash/sha256.h"

#include <openssl/sha.h>
#include <stdlib.h>

int vv_sha256_init(struct vv_sha256 *h, struct vv_err *err)
{
	h->ctx = malloc(sizeof(SHA256_CTX));
	if (!h->ctx)
		return vv_fail_nomem(err);
	if (SHA256_Init(h->ctx) != 1)
		VV_BUG("SHA-256 init");
	return 0;
}

void vv_sha256_update(struct vv_sha256 *h, struct vv_span data)
{
	if (data.len && SHA256_Update(h->ctx, data.ptr, data.len) != 1)
		VV_BUG("SHA-256 update");
}

void vv_sha256_final(struct vv_sha256 *h, struct vv_id *out)
{
	if (SHA256_Final(out->b, h->ctx) != 1 || SHA256_Init(h->ctx) != 1)
		VV_BUG("SHA-256 final");
}

void vv_sha256_release(struct vv_sha256 *h)
{
	free(h->ctx);
	h->ctx = NULL;
}

void vv_sha256(struct vv_span data, struct vv_id *out)
{
	SHA256_CTX c;

	if (SHA256_Init(&c) != 1 || SHA256_Update(&c, data.ptr, data.len) != 1 || SHA256_Final(out->b, &c) != 1)
		VV_BUG("SHA-256");
}

int vv_sha256_source(const struct vv_source *src, struct vv_id *out, struct vv_err *err)
{
	enum { PIECE = 1 << 20 };
	uint8_t *buf = malloc(PIECE);
	struct vv_sha256 h = {NULL};
	int ret = buf ? vv_sha256_init(&h, err) : vv_fail_nomem(err);

	for (uint64_t off = 0; !ret && off < src->size;) {
		size_t n = src->size - off < PIECE ? (size_t)(src->size - off) : PIECE;
		ret = vv_source_read(src, off, buf, n, err);
		if (!ret)
			vv_sha256_update(&h, vv_span(buf, n));
		off += n;
	}
	if (!ret)
		vv_sha256_final(&h, out);
	vv_sha256_release(&h);
	free(buf);
	return ret;
}
