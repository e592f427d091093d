#include "check.h"

FUZZ_FORMAT(false)
