#include "check.h"
#include "format/hdf5.h"

static void check(struct vv_span bytes)
{
	struct located l;

	locate_soundly(&l, bytes);
	check_assemble(&l, false);
	located_release(&l);
}

static void sum(uint8_t *at, size_t left, uint64_t len)
{
	if (len >= 4 && len <= left)
		vv_put32(at + len - 4, vv_hdf5_checksum(vv_span(at, (size_t)len - 4)));
}

/* Checksums where they follow from what stands before them: most changes would go no further. */
static void repair(uint8_t *p, size_t n)
{
	for (size_t i = 0; i + 16 < n; i++) {
		if (!memcmp(p + i, "OHDR", 4)) {
			size_t at = i + 6 + (p[i + 5] & 32 ? 16 : 0) + (p[i + 5] & 16 ? 4 : 0), width = 1u << (p[i + 5] & 3);
			if (at + 8 < n)
				sum(p + i, n - i, at - i + width + (width > 2 ? vv_get16(p + at) : p[at]) + 4);
		} else if (!memcmp(p + i, "FRHP", 4)) {
			sum(p + i, n - i, 146);
		} else if (!memcmp(p + i, "BTHD", 4)) {
			sum(p + i, n - i, 38);
		} else if (!memcmp(p + i, "\x89HDF", 4) && p[i + 8] >= 2) {
			sum(p + i, n - i, 48);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);

	check(vv_span(data, size));
	if (size)
		memcpy(copy, data, size);
	repair(copy, size);
	check(vv_span(copy, size));
	free(copy);
	return 0;
}
