#include "fixture.h"

enum { LEN = 1 << 20 };

static uint8_t data[LEN + 1], other[LEN + 1];

/* The cuts of a stream that anyone can make: docs/format/store.md names them. */
static void test_known(void)
{
	static const size_t want[] = {131072, 25222, 131072, 53129, 122973, 16983, 44180, 24003, 68693, 71989, 131072,
		131072, 91637, 5479};
	size_t at = 0, i = 0;
	bool same = true;

	for (; at < LEN && i < VV_COUNT(want); i++) {
		size_t n = chunk_cut(data + at, LEN - at);
		same = same && n == want[i];
		at += n;
	}
	CHECK(same);
	CHECK_INT(at, LEN);
	CHECK_INT(i, VV_COUNT(want));
}

static void test_bounds(void)
{
	CHECK_INT(chunk_cut(data, 0), 0);
	CHECK_INT(chunk_cut(data, 1), 1);
	CHECK_INT(chunk_cut(data, CHUNK_MIN), CHUNK_MIN);
	memset(other, 0, LEN);
	CHECK_INT(chunk_cut(other, LEN), CHUNK_MAX);
	CHECK_INT(chunk_cut(other, CHUNK_MAX - 1), CHUNK_MAX - 1);
	for (size_t len = CHUNK_MIN + 1; len < CHUNK_MAX; len += 7777) {
		size_t n = chunk_cut(data + len, len);
		if (n < CHUNK_MIN || n > len)
			CHECK_INT(n, len);
	}
}

/* One byte more near the front: the cuts are the same again soon. */
static void test_insertion(void)
{
	size_t ends[64], n = 0, same = 0, total = 0;

	memcpy(other + 1, data, LEN);
	other[0] = 'x';
	for (size_t at = 0; at < LEN; at += chunk_cut(data + at, LEN - at))
		ends[n++] = at;
	for (size_t at = 0; at < LEN + 1; at += chunk_cut(other + at, LEN + 1 - at), total++)
		for (size_t i = 0; i < n; i++)
			same += at && ends[i] + 1 == at;
	CHECK(same + 4 >= n && same <= total);
}

int main(void)
{
	fill_noise(data, LEN, 1);
	test_known();
	test_bounds();
	test_insertion();
	return done();
}
