/* How bad a finding is. The lists are unions of what scanners of models warn of; they label, and decide nothing. */
#include "format/scan.h"

#include "base/check.h"

/* Python's own: a name here, or anything below it, runs code, reaches files or the network. */
static const char *const dangerous_globals[] = {"os", "posix", "nt", "subprocess", "sys", "socket", "shutil", "runpy", "pty",
	"importlib", "pkgutil.resolve_name", "builtins.eval", "builtins.exec", "builtins.compile", "builtins.open",
	"builtins.getattr", "builtins.__import__", "builtins.apply", "builtins.breakpoint", "__builtin__.eval",
	"__builtin__.exec", "__builtin__.execfile", "__builtin__.compile", "__builtin__.open", "__builtin__.file",
	"__builtin__.getattr", "__builtin__.__import__", "__builtin__.apply", "operator.attrgetter", "operator.itemgetter",
	"operator.methodcaller", "_operator.attrgetter", "_operator.itemgetter", "_operator.methodcaller",
	"functools.partial", "pickle", "_pickle", "dill", "cloudpickle", "joblib.load", "marshal", "types.CodeType",
	"types.FunctionType", "ctypes", "code", "pdb", "bdb", "profile", "cProfile", "trace", "timeit", "doctest", "asyncio",
	"pip", "venv", "ensurepip", "site", "atexit", "_posixsubprocess", "_interpreters", "imp", "pipes", "uuid", "imaplib",
	"webbrowser", "urllib", "requests", "ssl", "http", "logging.FileHandler", "_io.FileIO", "io.open", "distutils",
	"idlelib", "lib2to3", "test", "_osx_support", "_aix_support", "_pyrepl", "numpy.f2py", "numpy.testing", "torch.load",
	"torch.hub", "torch.jit", "torch.compile", "torch._inductor", "torch._dynamo", "torch.storage._load_from_bytes",
	"torch.utils.collect_env", "multiprocessing", "threading", "inspect", "unittest", "tempfile", "mmap", "select",
	"sqlite3", "shelve", "tarfile", "zipfile", "glob", "platform", "linecache", "pydoc", "cgitb", "cgi", "zipimport",
	"_frozen_importlib", "_frozen_importlib_external", "_imp", "_ctypes", "_winapi", "winreg", "smtplib", "ftplib", "poplib",
	"telnetlib", "nntplib", "xmlrpc", "socketserver", "wsgiref", "gzip", "bz2", "lzma", "fileinput", "pstats", "codeop",
	"rlcompleter", "signal", "gc", "cffi", "builtins.setattr", "builtins.delattr", "builtins.globals", "builtins.vars",
	"builtins.input", "numpy.load", "pandas.read_pickle", "pandas.io.pickle", "torch.serialization.load", "torch.package",
	"torch.utils._config_module", "torch.utils.bottleneck", "torch.utils.cpp_extension", "torch.utils.data.datapipes.utils.decoder",
	"torch.fx.experimental.symbolic_shapes"};

/* Keras' own objects that fetch files, load other models, or lift the guard against code. */
static const char *const dangerous_keras[] = {"get_file", "enable_unsafe_deserialization", "TorchModuleWrapper", "TFSMLayer",
	"load_model", "load_weights"};

/* Of TensorFlow's operations: whole files of the host, Python in the process, text to where the model says. */
static const char *const dangerous_ops[] = {"ReadFile", "WriteFile", "PyFunc", "PyFuncStateless", "EagerPyFunc", "PrintV2",
	"DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount", "DebugNumericSummary", "DebugNumericSummaryV2"};

static const struct {
	const char *code;
	enum vv_severity severity;
} codes[] = {
	{"zip-bomb", VV_DANGEROUS},
	{"unsafe-path", VV_DANGEROUS},
	{"external-path", VV_DANGEROUS},
	{"keras-lambda", VV_DANGEROUS},
	{"pickle-extension", VV_DANGEROUS},
	{"deflated", VV_NOTE},
	{"byte-order", VV_NOTE},
	{"big-endian", VV_NOTE},
	{"chunked", VV_NOTE},
	{"unread", VV_NOTE},
	{"torchscript", VV_NOTE},
	{"unknown-dtype", VV_NOTE},
};

const char *vv_severity_name(enum vv_severity s)
{
	static const char *const names[] = {"note", "suspicious", "dangerous"};

	return names[s];
}

/* Reached through another module that has imported it: "logging" and "os.system". */
static bool reaches(const char *global)
{
	static const char *const modules[] = {"os", "posix", "nt", "sys", "subprocess", "socket", "shutil", "importlib", "builtins"};

	for (const char *dot = strchr(global, '.'); dot; dot = strchr(dot + 1, '.'))
		for (size_t i = 0; i < VV_COUNT(modules); i++) {
			size_t n = strlen(modules[i]);
			if (!strncmp(dot + 1, modules[i], n) && dot[1 + n] == '.')
				return true;
		}
	return false;
}

static bool is_dangerous(const char *global)
{
	if (reaches(global))
		return true;
	for (size_t i = 0; i < VV_COUNT(dangerous_globals); i++) {
		size_t n = strlen(dangerous_globals[i]);
		if (!strncmp(global, dangerous_globals[i], n) && (!global[n] || global[n] == '.'))
			return true;
	}
	return false;
}

static bool is_in(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, list[i]))
			return true;
	return false;
}

static bool is_dangerous_keras(const char *global)
{
	const char *dot = strrchr(global, '.');

	return is_dangerous(global) || is_in(dot ? dot + 1 : global, dangerous_keras, VV_COUNT(dangerous_keras));
}

enum vv_severity vv_severity_of(const struct vv_finding *f)
{
	const char *name = f->detail, *colon;

	/* "member: name" inside archives. */
	while ((colon = strstr(name, ": ")))
		name = colon + 2;
	if (!strcmp(f->code, "pickle-global"))
		return is_dangerous(name) ? VV_DANGEROUS : VV_SUSPICIOUS;
	if (!strcmp(f->code, "keras-global"))
		return is_dangerous_keras(name) ? VV_DANGEROUS : VV_SUSPICIOUS;
	if (!strcmp(f->code, "tf-op"))
		return is_in(name, dangerous_ops, VV_COUNT(dangerous_ops)) ? VV_DANGEROUS : VV_SUSPICIOUS;
	for (size_t i = 0; i < VV_COUNT(codes); i++)
		if (!strcmp(f->code, codes[i].code))
			return codes[i].severity;
	return VV_SUSPICIOUS;
}
