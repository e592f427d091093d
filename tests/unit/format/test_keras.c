#include "expected.h"
#include "mkzip.h"

static void test_golden(void)
{
	check_golden(__FILE__, "hdf5", "model.keras", "keras");
	check_golden(__FILE__, "hdf5", "deflated.keras", "keras");
}

int main(void)
{
	test_golden();
	return done();
}
