/* OpenSSL's older calls need no memory of their own, so a name can always be had. */
#define OPENSSL_API_COMPAT 10100
#include "hash/gitoid.h"

#include <openssl/sha.h>
#include <stdio.h>

void vv_git_blob_oid(struct vv_span text, bool sha256, char *hex)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char head[40];
	size_t len = (size_t)snprintf(head, sizeof(head), "blob %zu", text.len) + 1;

	if (sha256) {
		SHA256_CTX c;
		if (SHA256_Init(&c) != 1 || SHA256_Update(&c, head, len) != 1 ||
			SHA256_Update(&c, text.ptr, text.len) != 1 || SHA256_Final(sum, &c) != 1)
			VV_BUG("hash of a blob");
	} else {
		SHA_CTX c;
		if (SHA1_Init(&c) != 1 || SHA1_Update(&c, head, len) != 1 || SHA1_Update(&c, text.ptr, text.len) != 1 ||
			SHA1_Final(sum, &c) != 1)
			VV_BUG("hash of a blob");
	}
	for (unsigned i = 0; i < (sha256 ? SHA256_DIGEST_LENGTH : SHA_DIGEST_LENGTH); i++)
		snprintf(hex + 2 * i, 3, "%02x", sum[i]);
}
