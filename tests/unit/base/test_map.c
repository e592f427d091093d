#include "base/map.h"

#include "tap.h"

enum { N = 100000 };
static char keys[N][16];

int main(void)
{
	struct vv_map m = {0};
	bool added;
	int wrong = 0;

	CHECK(!vv_map_find(&m, vv_span_str("a")));
	for (int i = 0; i < N; i++) {
		snprintf(keys[i], sizeof(keys[i]), "key %d", i);
		uint64_t *v = vv_map_put(&m, vv_span_str(keys[i]), (uint64_t)i, &added);
		wrong += !v || *v != (uint64_t)i || !added;
	}
	CHECK_INT(m.len, N);
	for (int i = 0; i < N; i++) {
		uint64_t *v = vv_map_find(&m, vv_span_str(keys[i]));
		wrong += !v || *v != (uint64_t)i;
	}
	CHECK(!vv_map_find(&m, vv_span_str("key")));
	CHECK(!vv_map_find(&m, vv_span_str("key 100000")));
	/* A key that is there keeps its value, until somebody writes to its place. */
	uint64_t *v = vv_map_put(&m, vv_span_str("key 7"), 99, &added);
	CHECK(v && *v == 7 && !added);
	*v = 8;
	CHECK(*vv_map_put(&m, vv_span_str("key 7"), 99, NULL) == 8);
	CHECK_INT(m.len, N);
	/* The empty key, from any pointer, and one with a NUL. */
	CHECK(vv_map_put(&m, vv_span(NULL, 0), 1, &added) && added);
	CHECK(vv_map_put(&m, vv_span("x", 0), 2, &added) && !added);
	CHECK(*vv_map_find(&m, vv_span("", 0)) == 1);
	CHECK(vv_map_put(&m, vv_span("k\0a", 3), 3, &added) && added);
	CHECK(vv_map_put(&m, vv_span("k\0b", 3), 4, &added) && added);
	CHECK_INT(wrong, 0);
	vv_map_release(&m);
	CHECK(!m.slots && !vv_map_find(&m, vv_span_str("key 7")));
	return done();
}
