#include "check.h"
#include "format/formats.h"

FUZZ_GRAPH(vv_format_hdf5)
