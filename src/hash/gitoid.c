#include "hash/gitoid.h"

#include <openssl/evp.h>
#include <stdio.h>

void vv_git_blob_oid(struct vv_span text, bool sha256, char *hex)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();
	unsigned char sum[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	char head[40];
	int len = snprintf(head, sizeof(head), "blob %zu", text.len) + 1;

	if (!c || EVP_DigestInit_ex(c, sha256 ? EVP_sha256() : EVP_sha1(), NULL) != 1 ||
		EVP_DigestUpdate(c, head, (size_t)len) != 1 || EVP_DigestUpdate(c, text.ptr, text.len) != 1 ||
		EVP_DigestFinal_ex(c, sum, &n) != 1)
		VV_BUG("hash of a blob");
	EVP_MD_CTX_free(c);
	for (unsigned i = 0; i < n; i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}
