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

/* What the headers that came last say of the length of what follows them. */
struct said {
	uint64_t fixed, grown, first, leaf;
};

static void remember(struct said *s, const uint8_t *p)
{
	if (!memcmp(p, "FAHD", 4))
		s->fixed = 18 + vv_get32(p + 8) * (uint64_t)p[6];
	else if (!memcmp(p, "EAHD", 4)) {
		unsigned rows = 1 + p[7] - vv_hdf5_log2(p[9]), first = 2 * vv_hdf5_log2(p[10]);
		s->grown = 18 + (uint64_t)p[8] * p[6] + (2 * ((uint64_t)p[10] - 1) + rows - first) * 8;
		s->first = 18 + (p[7] + 7u) / 8 + (uint64_t)p[9] * p[6];
	} else {
		s->leaf = 10 + (uint64_t)vv_get16(p + 10) * vv_get16(p + 24);
	}
}

/* Checksums where they follow from what stands before them: most changes would go no further. */
static void repair(uint8_t *p, size_t n)
{
	struct said said = {0};

	for (size_t i = 0; i + 26 < n; i++) {
		if (!memcmp(p + i, "OHDR", 4)) {
			size_t at = i + 6 + (p[i + 5] & 32 ? 16 : 0) + (p[i + 5] & 16 ? 4 : 0), width = 1u << (p[i + 5] & 3);
			if (at + 8 < n)
				sum(p + i, n - i, at - i + width + (width > 2 ? vv_get16(p + at) : p[at]) + 4);
		} else if (!memcmp(p + i, "FRHP", 4)) {
			sum(p + i, n - i, 146);
		} else if (!memcmp(p + i, "BTHD", 4) || !memcmp(p + i, "FAHD", 4) || !memcmp(p + i, "EAHD", 4)) {
			remember(&said, p + i);
			sum(p + i, n - i, p[i] == 'B' ? 38 : p[i] == 'F' ? 28 : 72);
		} else if (!memcmp(p + i, "FADB", 4)) {
			sum(p + i, n - i, said.fixed);
		} else if (!memcmp(p + i, "EAIB", 4)) {
			sum(p + i, n - i, said.grown);
		} else if (!memcmp(p + i, "EADB", 4)) {
			sum(p + i, n - i, said.first);
		} else if (!memcmp(p + i, "BTLF", 4)) {
			sum(p + i, n - i, said.leaf);
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
