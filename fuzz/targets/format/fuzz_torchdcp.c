#include "check.h"

FUZZ_FORMAT(true)
