#include "hash/gitoid.h"

#include "tap.h"

int main(void)
{
	char hex[VV_OID_HEX_MAX + 1];

	/* As `git hash-object` says, in a repository of either kind. */
	vv_git_blob_oid(vv_span(NULL, 0), false, hex);
	CHECK_STR(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	vv_git_blob_oid(vv_span_str("hello\n"), false, hex);
	CHECK_STR(hex, "ce013625030ba8dba906f756967f9e9ca394464a");
	vv_git_blob_oid(vv_span(NULL, 0), true, hex);
	CHECK_STR(hex, "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813");
	vv_git_blob_oid(vv_span_str("hello\n"), true, hex);
	CHECK_STR(hex, "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4");
	return done();
}
