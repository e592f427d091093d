#include "hash/sha256.h"

#include "tap.h"

#include <stdlib.h>

static const char *hash(struct vv_span s)
{
	static char hex[VV_ID_HEX + 1];
	struct vv_id id;

	vv_sha256(s, &id);
	return vv_id_hex(&id, hex);
}

static void test_source(void)
{
	enum { LEN = (2 << 20) + 5 };
	uint8_t *p = calloc(LEN, 1);
	struct vv_source_mem mem;
	struct vv_err err = VV_ERR_INIT;
	struct vv_id want, got;

	p[LEN - 1] = 7;
	vv_source_mem_init(&mem, vv_span(p, LEN));
	vv_sha256(vv_span(p, LEN), &want);
	CHECK_OK(vv_sha256_source(&mem.base, &got, &err), &err);
	CHECK(vv_id_eq(&want, &got));
	vv_source_mem_init(&mem, vv_span(p, 0));
	vv_sha256(vv_span(p, 0), &want);
	CHECK_OK(vv_sha256_source(&mem.base, &got, &err), &err);
	CHECK(vv_id_eq(&want, &got));
	free(p);
}

int main(void)
{
	test_source();
	static uint8_t million[1000000];
	struct vv_err err = VV_ERR_INIT;
	char hex[VV_ID_HEX + 1];
	struct vv_sha256 h;
	struct vv_id id, again;

	/* The examples of FIPS 180-2. */
	CHECK_STR(hash(vv_span_str("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	CHECK_STR(hash(vv_span(NULL, 0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	memset(million, 'a', sizeof(million));
	CHECK_STR(hash(vv_span(million, sizeof(million))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");

	/* In pieces of any length; final starts anew. */
	CHECK_OK(vv_sha256_init(&h, &err), &err);
	for (size_t at = 0, i = 0, n; at < sizeof(million); at += n, i++) {
		n = i % 997 < sizeof(million) - at ? i % 997 : sizeof(million) - at;
		vv_sha256_update(&h, vv_span(million + at, n));
	}
	vv_sha256_final(&h, &id);
	CHECK_STR(vv_id_hex(&id, hex), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	vv_sha256_update(&h, vv_span_str("abc"));
	vv_sha256_final(&h, &again);
	vv_sha256(vv_span_str("abc"), &id);
	CHECK(vv_id_eq(&id, &again));
	vv_sha256_final(&h, &again);
	vv_sha256(vv_span(NULL, 0), &id);
	CHECK(vv_id_eq(&id, &again));
	vv_sha256_release(&h);
	vv_sha256_release(&h);
	return done();
}
