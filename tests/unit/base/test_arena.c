#include "base/arena.h"

#include "tap.h"

int main(void)
{
	struct vv_arena a = {0};
	unsigned char *p[200];
	int wrong = 0;

	/* Sizes about and far beyond a block; all aligned, zeroed, apart. */
	for (size_t i = 0; i < 200; i++) {
		size_t n = i % 10 == 9 ? 100000 : i * 37;
		p[i] = vv_arena_alloc(&a, n);
		wrong += !p[i] || (uintptr_t)p[i] % 16;
		for (size_t k = 0; k < n && p[i]; k++)
			wrong += p[i][k] != 0;
		memset(p[i], (int)i + 1, n);
	}
	for (size_t i = 0; i < 200; i++)
		for (size_t k = 0, n = i % 10 == 9 ? 100000 : i * 37; k < n; k++)
			wrong += p[i][k] != (unsigned char)(i + 1);
	CHECK_INT(wrong, 0);
	CHECK(a.used >= 20 * 100000);
	CHECK_STR(vv_arena_copy(&a, vv_span_str("a copy")), "a copy");
	CHECK_STR(vv_arena_copy(&a, vv_span(NULL, 0)), "");
	CHECK(vv_arena_alloc(&a, 0) != NULL);
	CHECK(!vv_arena_alloc(&a, SIZE_MAX));
	CHECK(!vv_arena_alloc(&a, SIZE_MAX - 16));
	CHECK(!vv_arena_array(&a, SIZE_MAX / 2, 3));
	CHECK(vv_arena_array(&a, 3, 5) != NULL);
	vv_arena_release(&a);
	CHECK(!a.used && !a.blocks);
	vv_arena_release(&a);
	return done();
}
