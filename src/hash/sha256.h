/* SHA-256 through OpenSSL, which uses the processor's own instructions where it has them. */
#ifndef VV_HASH_SHA256_H
#define VV_HASH_SHA256_H

#include "base/err.h"
#include "base/id.h"
#include "base/source.h"

struct vv_sha256 {
	void *ctx; /* SHA256_CTX */
};

VV_MUST_CHECK int vv_sha256_init(struct vv_sha256 *h, struct vv_err *err);
void vv_sha256_update(struct vv_sha256 *h, struct vv_span data);
/* Yields the id and starts anew. */
void vv_sha256_final(struct vv_sha256 *h, struct vv_id *out);
void vv_sha256_release(struct vv_sha256 *h);
/* Of all that a source has. */
VV_MUST_CHECK int vv_sha256_source(const struct vv_source *src, struct vv_id *out, struct vv_err *err);
/* One call for memory. */
void vv_sha256(struct vv_span data, struct vv_id *out);

#endif
