#include "format/hdf5.h"

#include "tap.h"

int main(void)
{
	return done();
}
