#include "pickles.h"

static bool trusted(const char *module, const char *name)
{
	return vv_pickle_trusted(vv_span_str(module), vv_span_str(name));
}

static bool buildable(const char *module, const char *name)
{
	return vv_pickle_buildable(vv_span_str(module), vv_span_str(name));
}

int main(void)
{
	CHECK(trusted("collections", "OrderedDict") && trusted("torch", "FloatStorage") && trusted("torch", "float8_e5m2"));
	CHECK(trusted("torch._utils", "_rebuild_tensor_v2") && trusted("torch.storage", "UntypedStorage"));
	CHECK(trusted("__torch__", "M") && trusted("__torch__.torch.nn.Linear", "x") && trusted("torch.jit._pickle", "build_intlist"));
	CHECK(!trusted("__torch__x", "M") && !trusted("__torch_", "M") && !trusted("torch.jit", "load"));
	CHECK(trusted("__builtin__", "set") && trusted("builtins", "set") && trusted("numpy", "dtype"));
	/* Exactly: no other module, no prefix, no suffix, no case. */
	CHECK(!trusted("torch", "OrderedDict") && !trusted("torch._util", "_rebuild_tensor_v2") && !trusted("torch.", "Size"));
	CHECK(!trusted("torch", "FloatStorag") && !trusted("torch", "FloatStorage ") && !trusted("Torch", "Size"));
	CHECK(!trusted("torch", "load") && !trusted("torch.storage", "_load_from_bytes") && !trusted("builtins", "eval"));
	CHECK(!trusted("numpy.testing", "dtype") && !trusted("", "") && !trusted("torch", ""));
	CHECK(!vv_pickle_trusted(LIT("torch\0x"), LIT("Size")) && !vv_pickle_trusted(LIT("torch"), LIT("Size\0")));
	CHECK(trusted("torch.distributed.checkpoint.metadata", "Metadata") && trusted("pathlib", "PosixPath"));
	CHECK(!trusted("torch.distributed.checkpoint.filesystem", "FileSystemReader") && !trusted("pathlib", "os.system"));
	CHECK(buildable("torch.distributed.checkpoint.metadata", "TensorProperties"));
	CHECK(!buildable("torch.distributed.checkpoint.metadata", "_MEM_FORMAT_ENCODING") && !buildable("pathlib", "PosixPath"));
	CHECK(buildable("numpy", "ndarray") && buildable("numpy.core.multiarray", "_reconstruct"));
	CHECK(buildable("torch.nn.parameter", "Parameter"));
	CHECK(!buildable("torch", "Size") && !buildable("os", "system") && !buildable("torch._utils", "_rebuild_tensor_v2"));
	return done();
}
