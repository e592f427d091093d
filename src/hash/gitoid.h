/* Names that git gives to blobs: SHA-1 or SHA-256 of "blob <len>\0<bytes>". Never an identity of varve's. */
#ifndef VV_HASH_GITOID_H
#define VV_HASH_GITOID_H

#include "base/compiler.h"
#include "base/span.h"

enum { VV_OID_HEX_MAX = 64 };

/* `hex` holds VV_OID_HEX_MAX + 1 bytes; sha256: the repository's object format. */
void vv_git_blob_oid(struct vv_span text, bool sha256, char *hex);

#endif
