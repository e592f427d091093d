/* The globals that PyTorch itself writes. Exact names: a prefix or a submodule is another name. */
#include "format/pickle.h"

static const char *const torch_names[] = {"Size", "device", "Tensor", "DoubleStorage", "FloatStorage", "HalfStorage",
	"BFloat16Storage", "LongStorage", "IntStorage", "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage",
	"ComplexDoubleStorage", "ComplexFloatStorage", "QUInt8Storage", "QInt8Storage", "QInt32Storage", "QUInt4x2Storage",
	"QUInt2x4Storage", "float64", "float32", "float16", "bfloat16", "complex32", "complex64", "complex128", "int64",
	"int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "bool", "quint8", "qint8", "qint32", "quint4x2",
	"quint2x4", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz",
	"float8_e5m2fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2", "int1", "int2", "int3", "int4", "int5", "int6", "int7",
	"uint1", "uint2", "uint3", "uint4", "uint5", "uint6", "uint7", "per_tensor_affine", "per_tensor_symmetric",
	"per_channel_affine", "per_channel_symmetric", "per_channel_affine_float_qparams", NULL};
static const char *const storage_names[] = {
	"TypedStorage", "UntypedStorage", "_TypedStorage", "_UntypedStorage", NULL};
static const char *const rebuild_names[] = {"_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3",
	"_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor",
	"_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor", "_rebuild_wrapper_subclass",
	"_rebuild_device_tensor_from_numpy", "_rebuild_device_tensor_from_cpu_tensor", NULL};
static const char *const builtin_names[] = {"set", "bytearray", "complex", NULL};
static const char *const jit_names[] = {"build_intlist", "build_doublelist", "build_boollist", "build_complexlist",
	"build_tensorlist", "build_tensor_from_id", "restore_type_tag", NULL};
static const char *const array_names[] = {"_reconstruct", "scalar", NULL};

/* Data classes of a checkpoint's .metadata: making one, or giving it its state, sets attributes. */
static const char *const dcp_names[] = {"Metadata", "MetadataIndex", "TensorStorageMetadata", "TensorProperties",
	"ChunkStorageMetadata", "BytesStorageMetadata", "StorageMeta", NULL};
static const char *const path_names[] = {"PosixPath", "WindowsPath", NULL};

static const struct {
	const char *module;
	const char *const *names;
	bool buildable; /* BUILD completes its result, and that is all it can do */
} trusted[] = {
	{"torch", torch_names, false},
	{"torch._utils", rebuild_names, false},
	{"collections", (const char *const[]){"OrderedDict", "Counter", NULL}, false},
	{"torch.storage", storage_names, false},
	{"torch._tensor", (const char *const[]){"_rebuild_from_type_v2", NULL}, false},
	{"torch.nn.parameter", (const char *const[]){"Parameter", NULL}, true},
	{"torch.serialization", (const char *const[]){"_get_layout", NULL}, false},
	{"torch.jit._pickle", jit_names, false},
	{"torch.distributed.checkpoint.metadata", dcp_names, true},
	{"torch.distributed.checkpoint.metadata", (const char *const[]){"_MEM_FORMAT_ENCODING", NULL}, false},
	{"torch.distributed.checkpoint.filesystem", (const char *const[]){"_StorageInfo", NULL}, true},
	{"pathlib", path_names, false},
	{"pathlib._local", path_names, false}, /* Python 3.13 */
	{"_codecs", (const char *const[]){"encode", NULL}, false},
	/* Protocol 2 names Python 2's module. */
	{"__builtin__", builtin_names, false},
	{"builtins", builtin_names, false},
	{"numpy", (const char *const[]){"ndarray", "dtype", NULL}, true},
	{"numpy.core.multiarray", array_names, true},
	{"numpy._core.multiarray", array_names, true},
};

static int find(struct vv_span module, struct vv_span name)
{
	for (size_t i = 0; i < VV_COUNT(trusted); i++)
		if (vv_span_is(module, trusted[i].module))
			for (size_t k = 0; trusted[i].names[k]; k++)
				if (vv_span_is(name, trusted[i].names[k]))
					return (int)i;
	return -1;
}

/* A class of TorchScript, compiled into the archive's own code: Python imports nothing by that name. */
static bool is_compiled(struct vv_span module)
{
	static const char top[] = "__torch__";
	size_t n = sizeof(top) - 1;

	return module.len >= n && !memcmp(module.ptr, top, n) && (module.len == n || module.ptr[n] == '.');
}

bool vv_pickle_trusted(struct vv_span module, struct vv_span name)
{
	return find(module, name) >= 0 || is_compiled(module);
}

bool vv_pickle_buildable(struct vv_span module, struct vv_span name)
{
	int i = find(module, name);

	return is_compiled(module) || (i >= 0 && trusted[i].buildable);
}
