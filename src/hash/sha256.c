/* OpenSSL's older calls, for one piece of memory, need none of their own: they cannot fail. */
#define OPENSSL_API_COMPAT 10100
#include "hash/sha256.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

int vv_sha256_init(struct vv_sha256 *h, struct vv_err *err)
{
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx || EVP_DigestInit_ex(h->ctx, EVP_sha256(), NULL) != 1) {
		vv_sha256_release(h);
		return vv_fail_nomem(err);
	}
	return 0;
}

void vv_sha256_update(struct vv_sha256 *h, struct vv_span data)
{
	if (data.len && EVP_DigestUpdate(h->ctx, data.ptr, data.len) != 1)
		VV_BUG("SHA-256 update");
}

void vv_sha256_final(struct vv_sha256 *h, struct vv_id *out)
{
	if (EVP_DigestFinal_ex(h->ctx, out->b, NULL) != 1 || EVP_DigestInit_ex(h->ctx, NULL, NULL) != 1)
		VV_BUG("SHA-256 final");
}

void vv_sha256_release(struct vv_sha256 *h)
{
	EVP_MD_CTX_free(h->ctx);
	h->ctx = NULL;
}

void vv_sha256(struct vv_span data, struct vv_id *out)
{
	SHA256_CTX c;

	if (SHA256_Init(&c) != 1 || SHA256_Update(&c, data.ptr, data.len) != 1 || SHA256_Final(out->b, &c) != 1)
		VV_BUG("SHA-256");
}
