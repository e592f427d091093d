#include "base/le.h"
#include "format/hdf5.h"

#include "expected.h"

static void test_golden(void)
{
	static const char *const files[] = {"types.h5", "old.h5", "new.h5", "new-changed.h5", "v108.h5", "stored.h5",
		"outside.h5", "many-new.h5"};

	for (size_t i = 0; i < VV_COUNT(files); i++)
		check_golden(__FILE__, "hdf5", files[i], "hdf5");
}

int main(void)
{
	test_golden();
	return done();
}
