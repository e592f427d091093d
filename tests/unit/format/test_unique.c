#include "format/unique.h"
#include "format/format.h"

#include "tap.h"

int main(void)
{
	struct vv_err err = VV_ERR_INIT;
	struct vv_arena arena = {0};
	struct vv_map names = {0};
	static char longest[VV_MAX_NAME + 1];
	const char *w = "w", *again = "w", *third = "w", *named = "w~2", *other = "v", *l1 = longest, *l2 = longest;
	int ret = 0;

	CHECK_OK(vv_unique_name(&w, &names, &arena, &err), &err);
	CHECK_OK(vv_unique_name(&other, &names, &arena, &err), &err);
	CHECK_OK(vv_unique_name(&again, &names, &arena, &err), &err);
	CHECK_OK(vv_unique_name(&third, &names, &arena, &err), &err);
	CHECK_OK(vv_unique_name(&named, &names, &arena, &err), &err);
	CHECK_STR(w, "w");
	CHECK_STR(other, "v");
	CHECK_STR(again, "w~2");
	CHECK_STR(third, "w~3");
	CHECK_STR(named, "w~2~2");
	memset(longest, 'x', VV_MAX_NAME);
	CHECK_OK(vv_unique_name(&l1, &names, &arena, &err), &err);
	CHECK_INT(vv_unique_name(&l2, &names, &arena, &err), VV_ELIMIT);
	for (int i = 0; i < 2000 && !ret; i++) {
		const char *many = "m";
		ret = vv_unique_name(&many, &names, &arena, &err);
	}
	CHECK_INT(ret, VV_EFORMAT);
	vv_map_release(&names);
	vv_arena_release(&arena);
	return done();
}
