#!/usr/bin/env python3
"""Hostile files, a row each: kept byte for byte, told by `add` and judged by `scan`, and nothing in them runs.

A row says: what it is; its bytes; the format in the manifest, and codes of findings there (all of them must be told,
others may be); the verdict of scan, and words that must stand in what it says. For every row: add ends with 0 within its
time and memory, scan with 0 or 1, the file comes back the same, and no file was made that the row's program would make.
"""
import hashlib
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
from mkhostile import *

GOLDEN = os.path.join(HERE, "..", "golden")
CPU, RSS, ADDRESSES = 5.0, 64 << 20, 512 << 20  # seconds, bytes besides the file, bytes of address space
# In memory when that is offered: each row waits for the disk.
T = tempfile.TemporaryDirectory(prefix="varve-hostile.",
                                dir=os.environ.get("TMPDIR") or ("/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
CANARY = os.path.join(T.name, "canary")
RUN = "touch " + CANARY


def golden(path):
    with open(os.path.join(GOLDEN, path), "rb") as f:
        return f.read()


SYSTEM = call("os", "system", RUN)
EVIL = P2 + SYSTEM + b"."
GOOD = P2 + b"}" + u("a") + b"K\x01s."
STATE = torch(state(tensor()))
ST = safetensors({"w": f32(0, 4)}, bytes(4))
WEIGHTS = golden("hdf5/new.h5")
LAMBDA = layer(module="keras.layers", class_name="Lambda", config={"function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}})
FUNCTION = dict(class_name="function", registered_name="x")

# What has run code in scanners' place: names outside of any list of bad ones, or deep in modules that look harmless.
GADGETS = """asyncio.unix_events._UnixSubprocessTransport._start pkgutil.resolve_name importlib.import_module
operator.attrgetter operator.methodcaller uuid._get_command_stdout imaplib.IMAP4_stream pip.main pip._internal.main
timeit.timeit cProfile.runctx profile.Profile.runctx bdb.Bdb.run pdb.run doctest.debug_script trace.Trace.run
code.InteractiveInterpreter.runcode pydoc.pipepager ensurepip._run_pip idlelib.run.Executive.runcode
lib2to3.pgen2.grammar.Grammar.loads ctypes.CDLL multiprocessing.util.spawnv_passfds _aix_support._read_cmd_output
_osx_support._find_build_tool distutils.file_util.write_file numpy.f2py.crackfortran.getlincoef
numpy.testing._private.utils.runstring test.support.script_helper.assert_python_ok torch.hub.load torch.load
torch.serialization.load torch.jit.unsupported_tensor_ops.execWrapper torch._inductor.codecache.compile_file
torch.utils._config_module.ConfigModule.load_config torch.utils.bottleneck.__main__.run_cprofile
torch.utils.collect_env.run torch.utils.data.datapipes.utils.decoder.basichandlers
torch.fx.experimental.symbolic_shapes.ShapeEnv.evaluate_guards_expression ssl.get_server_certificate http.client.HTTPSConnection
sqlite3.connect logging.FileHandler _io.FileIO cgitb.lookup types.FunctionType marshal.loads runpy._run_code
functools.partial linecache.getlines dill.loads cloudpickle.loads joblib.load urllib.request.urlopen webbrowser.open
builtins.__import__ builtins.getattr __builtin__.execfile zipimport.zipimporter smtplib.SMTP ftplib.FTP
xmlrpc.client.ServerProxy gzip.open bz2.open lzma.open fileinput.input _ctypes.dlopen posixpath.os.system""".split()


def gadgets():
    """All of them in one pickle would be more than are told: as many as are, at a time."""
    for i in range(0, len(GADGETS), 20):
        part = GADGETS[i:i + 20]
        yield ("M5-M8", "names that run code, from " + part[0],
               P4 + b"(" + b"".join(stack_name(*g.rsplit(".", 1)) for g in part) + b"t.", "pickle", ["pickle-global"],
               "dangerous", ["dangerous pickle-global: " + g for g in part])


def bad_head(head, body=bytes(8), size=None):
    return safetensors(head, body, size)


def named(n):
    return safetensors({n: f32(0, 4)}, bytes(4))


GLOBAL = ["dangerous pickle-global: os.system"]
ROWS = [
    # --- pickles ---
    ("M1", "GLOBAL os.system", EVIL, "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M2", "STACK_GLOBAL", P4 + stack_name("os", "system") + s(RUN) + b"\x85R.", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M3", "STACK_GLOBAL out of the memo, with holes", P4 + s("os") + b"q\x050" + s("system") + b"r\x70\x11\x01\x000h\x05j\x70\x11\x01\x00\x93" +
     s(RUN) + b"\x85R.", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M3", "a memo key that was never put", torch(state(b"h\x09", u("x") + SYSTEM + b"s")), "opaque", ["pickle-broken", "pickle-global", "malformed"], "dangerous", GLOBAL),
    ("M4", "INST of protocol 0", b"(S'" + RUN.encode() + b"'\nios\nsystem\n.", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M4", "OBJ", P2 + b"(" + name("os", "system") + u(RUN) + b"o.", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M4", "protocol 0 all through, as a dictionary", b"(dp0\nS'w'\np1\ncos\nsystem\np2\n(S'" + RUN.encode() + b"'\ntRs.", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M5", "an attribute of a name that is trusted", P4 + stack_name("torch._utils", "_rebuild_tensor_v2.__globals__") + b".", "pickle",
     ["pickle-global"], "suspicious", ["suspicious pickle-global: torch._utils._rebuild_tensor_v2.__globals__"]),
    ("M5", "builtins, dotted", P4 + stack_name("builtins", "int.__add__") + b".", "pickle", ["pickle-global"], "suspicious",
     ["suspicious pickle-global: builtins.int.__add__"]),
    *gadgets(),
    *[("M9", "the extension registry, EXT" + str(len(op) - 1), P2 + op + b".", "pickle", ["pickle-extension"], "dangerous",
       ["dangerous pickle-extension"]) for op in (b"\x82\x01", b"\x83\x01\x02", b"\x84\x01\x02\x03\x00")],
    ("M10", "the program first, then broken bytes", P2 + SYSTEM + b"\xff\xff\xff", "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M10", "in an archive that PyTorch reads", torch(P2 + SYSTEM + b"\xff\xff"), "opaque", ["pickle-global", "pickle-broken"], "dangerous", GLOBAL),
    ("M11", "a second pickle behind a harmless one", GOOD + EVIL, "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("M11", "in an archive", torch(state(tensor()) + EVIL), "torch", ["pickle-global", "pickle-trailing"], "dangerous", GLOBAL),
    ("M12", "a pickle in bytes that are unpickled", P4 + name("torch.storage", "_load_from_bytes") + b"C" + bytes([len(EVIL)]) + EVIL + b"\x85R.",
     "pickle", ["pickle-global"], "dangerous", GLOBAL + ["dangerous pickle-global: torch.storage._load_from_bytes"]),
    ("M13", "a state for a class that takes none", torch(state(name("torch", "Size") + b")\x81}b")), "opaque", ["pickle-build", "malformed"],
     "suspicious", ["pickle-build"]),
    ("M14", "SETITEM on a list", torch(state(b"]" + u("a") + b"K\x01s")), "opaque", ["pickle-type", "malformed"], "suspicious", ["pickle-type"]),
    ("M14", "APPEND on a tensor", torch(state(tensor() + b"K\x01a")), "opaque", ["pickle-type", "malformed"], "suspicious", ["pickle-type"]),
    ("M15", "a pickle called .bin", EVIL, "pickle", ["pickle-global"], "dangerous", GLOBAL, "x.bin"),
    ("M15", "called .txt", EVIL, "pickle", ["pickle-global"], "dangerous", GLOBAL, "x.txt"),
    ("M15", "called .safetensors", EVIL, "pickle", ["pickle-global"], "dangerous", GLOBAL, "x.safetensors"),
    ("M53", "tuples doubled 40 times", torch(state(b")" + b"".join(b"q%ch%c\x86" % (i, i) for i in range(40)))), "torch", [], "safe", []),
    ("M53", "100,000 marks", P2 + b"(" * 100000, "pickle", [], "safe", []),
    ("M53", "100,000 marks in an archive", torch(P2 + b"(" * 100000), "opaque", ["pickle-limit", "limit"], "suspicious", ["pickle-limit"]),
    ("M53", "LONG4 of 2 GiB", torch(P2 + b"\x8b\xff\xff\xff\x7f\x01."), "opaque", ["pickle-broken"], "suspicious", ["pickle-broken"]),
    ("M53", "BINUNICODE8 of 2^62", torch(P4 + b"\x8d" + struct.pack("<Q", 1 << 62) + b"x."), "opaque", ["pickle-broken"], "suspicious", ["pickle-broken"]),
    # --- archives of PyTorch ---
    ("M16", "flag bits that scanners stumble over", patched(torch(state(tensor(), u("x") + SYSTEM + b"s")), 6, b"\x01\x00"), "torch",
     ["zip-flags", "pickle-global"], "dangerous", GLOBAL + ["zip-flags"]),
    ("M17", "another name in the local header", patched(torch(EVIL), 30, b"m/data.txt"[:10]), "opaque", ["malformed"], "dangerous", GLOBAL),
    ("M18", "a wrong CRC-32", (lambda d: patched(patched(d, 14, b"\1\2\3\4"), second_header(d, b"m/data.pkl") + 16, b"\1\2\3\4"))(
        torch(state(tensor(), u("x") + SYSTEM + b"s"))), "torch", ["crc", "pickle-global"], "dangerous", GLOBAL + ["suspicious crc"]),
    ("M19", "two data.pkl of one name", archive([("m/data.pkl", GOOD), ("m/data.pkl", EVIL)]), "opaque", ["malformed", "pickle-global"], "dangerous", GLOBAL),
    ("M19", "two data.pkl in two folders", archive([("m/data.pkl", GOOD), ("m/x/data.pkl", EVIL)]), "opaque", ["malformed", "pickle-global"], "dangerous", GLOBAL),
    ("M20", "a storage larger than its member", torch(state(tensor(storage(count=5)))), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M21", "an offset past the storage", torch(state(tensor(offset=1))), "opaque", ["malformed"], "suspicious", ["does not fit its bytes"]),
    ("M21", "a stride past the storage", torch(state(tensor(stride=(3, 1)))), "opaque", ["malformed"], "suspicious", ["does not fit its bytes"]),
    ("M21", "a negative stride", torch(state(tensor(stride=(-1, 1)))), "opaque", ["torch-tensor"], "suspicious", ["torch-tensor"]),
    ("M21", "a size of 2^63", torch(state(tensor(size=(1 << 63, 2)))), "opaque", ["torch-tensor"], "suspicious", ["torch-tensor"]),
    ("M22", "a persistent id that is no storage", torch(state(tensor(storage(word="file")))), "opaque", ["torch-tensor"], "suspicious", ["torch-tensor"]),
    ("M22", "a path for a location", torch(state(tensor(storage(location="../../x")))), "opaque", ["torch-tensor"], "suspicious", ["torch-tensor"]),
    ("X1", "DATA.PKL: other case", archive([("m/DATA.PKL", EVIL), ("m/data/0", b"")]), "opaque", [], "dangerous", ["dangerous pickle-global: m/DATA.PKL: os.system"]),
    ("X1", "data.pkl without a folder", archive([("data.pkl", EVIL), ("m/version", b"3")]), "opaque", [], "dangerous", ["dangerous pickle-global: data.pkl: os.system"]),
    ("X1", "a pickle of another name", torch(state(tensor()), [("m/extra/notes.txt", EVIL)]), "torch", [], "dangerous", ["dangerous pickle-global: m/extra/notes.txt: os.system"]),
    ("X1", "TorchScript's constants", torch(state(tensor()), [("m/constants.pkl", EVIL), ("m/code/__torch__.py", b"def f(): pass")]), "torch",
     ["torchscript", "pickle-global"], "dangerous", GLOBAL + ["note torchscript"]),
    ("X1", "deflated", archive([("m/data.pkl", EVIL), ("m/version", b"3")], zipfile.ZIP_DEFLATED), "torch", ["pickle-global"], "dangerous", GLOBAL),
    ("X1", "a pickle before the archive", EVIL + torch(state(tensor())), "pickle", ["pickle-global"], "dangerous", GLOBAL),
    # --- other archives ---
    ("M55", "a member that bursts", archive([("zeros", bytes(40 << 20))], zipfile.ZIP_DEFLATED), "opaque", [], "dangerous", ["zip-bomb: zeros"]),
    ("M55", "members that share a kernel", quoted_overlap(200, 1 << 20), "opaque", [], "suspicious", ["malformed"]),
    ("M55", "65,536 members, of which none are counted", many_members(65536), "opaque", [], "suspicious", ["malformed"]),
    ("M55", "a zip64 record with another count", zip64_lie([("m/data.pkl", EVIL)]), "opaque", ["malformed"], "dangerous", ["dangerous pickle-global: m/data.pkl: os.system", "suspicious malformed"]),
    ("M55", "the same of a harmless one", zip64_lie([("m/notes", b"x")]), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M55", "an end record that counts none", no_count([("m/data.pkl", EVIL)]), "opaque", ["malformed"], "dangerous", ["dangerous pickle-global: m/data.pkl: os.system"]),
    ("M55", "an entry that claims to be encrypted, before the pickle", first_entry([("a", b"x"), ("m/data.pkl", EVIL)], 8, b"\x01"), "opaque", [],
     "dangerous", ["dangerous pickle-global: m/data.pkl: os.system"]),
    ("M55", "one that lies past the end", first_entry([("a", b"x"), ("m/data.pkl", EVIL)], 42, b"\xff\xff\xff\x7f"), "opaque", [], "dangerous", ["dangerous pickle-global: m/data.pkl: os.system"]),
    ("M17", "a local header of another size", local_entry([("m/data.pkl", EVIL)], b"m/data.pkl", 22, b"\x01"), "opaque", ["malformed"], "dangerous", GLOBAL),
    ("M17", "of another method", local_entry([("a", b"x"), ("m/data.pkl", EVIL)], b"a", 8, b"\x08"), "opaque", [], "dangerous", ["dangerous pickle-global: m/data.pkl: os.system"]),
    ("M55", "bytes before the archive, whose offsets do not count them", b"PK\x03\x04" + bytes(60) + archive([("m/data.pkl", EVIL)]), "opaque", [],
     "dangerous", ["dangerous pickle-global: m/data.pkl: os.system"]),
    ("X2", "names that lead out when unpacked", archive([("../../x", b""), ("/x", b""), ("a\\b", b"")]), "opaque", [], "dangerous",
     ["unsafe-path: ../../x", "unsafe-path: /x"]),
    ("X2", "one name twice", archive([("w.npy", npy("'<f4'", "(1,)", bytes(4))), ("w.npy", npy("'<f4'", "(1,)", b"abcd"))]), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("X2", "a pickle four archives deep", archive([("d", archive([("c", archive([("b", archive([("a", EVIL)]))]))]))]), "opaque", [], "dangerous",
     ["dangerous pickle-global: d: c: b: a: os.system"]),
    # --- safetensors ---
    ("M23", "a header of 2^64-1", bad_head({}, size=(1 << 64) - 1), "opaque", [], "safe", []),
    ("M23", "a header longer than the file", bad_head({"w": f32(0, 8, (2,))}, size=1000), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M23", "a header of nothing", bad_head(b""), "opaque", [], "safe", []),
    ("M24", "a name twice", bad_head(b'{"w":' + json.dumps(f32(0, 4)).encode() + b',"w":' + json.dumps(f32(4, 8)).encode() + b"}"), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M24", "ranges that overlap", bad_head({"a": f32(0, 8, (2,)), "b": f32(4, 8)}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M24", "a hole", bad_head({"a": f32(4, 8)}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M24", "bytes behind the last", bad_head({"a": f32(0, 4)}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    *[("M25", "offsets " + o, bad_head('{"a":{"dtype":"F32","shape":[1],"data_offsets":%s}}'.encode() % o.encode()), "opaque", ["malformed"], "suspicious", ["malformed"])
      for o in ("[8,4]", "[-4,0]", "[0,4.0]", "[0,1e30]", "[0,4,8]")],
    ("M26", "a shape whose product overflows", bad_head({"a": f32(0, 8, (1 << 62, 1 << 62))}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M26", "a shape that is not the bytes'", bad_head({"a": f32(0, 8, (3,))}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M26", "an unknown type with wild offsets", bad_head({"a": {"dtype": "X9", "shape": [1], "data_offsets": [0, 1 << 40]}}), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M54", "a million brackets", bad_head(b'{"__metadata__":' + b"[" * 1000000), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M54", "1e9999", bad_head(b'{"a":{"dtype":"F32","shape":[1e9999],"data_offsets":[0,8]}}'), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M54", "half a surrogate", bad_head(b'{"\\ud800":' + json.dumps(f32(0, 8, (2,))).encode() + b"}"), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M54", "a key of the metadata twice", bad_head(b'{"__metadata__":{"a":"1","a":"2"},"w":' + json.dumps(f32(0, 8, (2,))).encode() + b"}"), "opaque", ["malformed"], "suspicious", ["malformed"]),
    *[("M46", "a name with " + what, named(n), "safetensors", ["odd-name"], "suspicious", ["odd-name"])
      for what, n in (("LF", "a\nb"), ("CR", "a\rb"), ("TAB", "a\tb"), ("an escape sequence", "\x1b[2Ja"))],
    ("M46", "a name like a conflict's mark", named("<<<<<<< HEAD"), "safetensors", [], "safe", []),
    *[("M47", "a name with " + what, named(n), "safetensors", ["odd-name"], "suspicious", ["odd-name"])
      for what, n in (("another direction", "a\u202eb"), ("zero width", "a\u200bb"))],
    ("M47", "two names that are one in NFC", safetensors({"\u00e9": f32(0, 4), "e\u0301": f32(4, 8)}, bytes(8)), "safetensors", ["alike-names"], "suspicious", ["alike-names"]),
    ("M47", "a name that is no UTF-8", bad_head(b'{"\xff":' + json.dumps(f32(0, 8, (2,))).encode() + b"}"), "opaque", ["malformed"], "suspicious", ["malformed"]),
    ("M56", "also an archive", safetensors({"w": f32(0, len(STATE), (len(STATE),), dtype="U8")}, STATE), "safetensors", ["polyglot"], "suspicious", ["polyglot"]),
    # --- GGUF, NumPy, TensorFlow Lite ---
    *[("M27", what, d, "opaque", ["malformed"], "suspicious", ["malformed"]) for what, d in (
        ("2^61 tensors", gguf(n_tensors=1 << 61)), ("2^62 pairs", gguf(n_pairs=1 << 62)),
        ("a text of 2^63", gguf(pairs=[(b"k", 8, struct.pack("<Q", 1 << 63))])))],
    ("M27", "arrays in arrays", gguf(pairs=[(b"k", 9, struct.pack("<IQ", 9, 1) * 100000)]), "opaque", ["limit"], "suspicious", ["limit"]),
    *[("M28", what, d, "opaque", ["malformed"], "suspicious", ["malformed"]) for what, d in (
        ("an alignment of 0", gguf(pairs=[(b"general.alignment", 4, bytes(4))])),
        ("an alignment of 3", gguf(pairs=[(b"general.alignment", 4, struct.pack("<I", 3))])),
        ("an offset past the end", gguf([(b"w", [4], 0, 1 << 40)])),
        ("an end past the end", gguf([(b"w", [400], 0, 0)])),
        ("a name twice", gguf([(b"w", [4], 0, 0), (b"w", [4], 0, 32)])),
        ("a product that overflows (CVE-2026-33298)", gguf([(b"w", [1 << 62, 1 << 62], 0, 0)])))],
    ("M28", "type 255", gguf([(b"w", [4], 255, 0)]), "opaque", ["unknown-dtype", "malformed"], "suspicious", ["type 255"]),
    *[("M29", what, d, "opaque", ["malformed"], "suspicious", ["malformed"]) for what, d in (
        ("a header of 4 GiB", npy("'<f4'", "(2,)", version=2, size=0xffffffff)),
        ("a shape of 16 GiB in 80 bytes", npy("'<f4'", "(65536, 65536)", bytes(8))),
        ("a header that is a program", npy("__import__('os').system('%s')" % RUN, "(2,)", bytes(8))),
        ("a shape that overflows", npy("'<f4'", "(4294967296, 4294967296, 4294967296)", bytes(8))))],
    ("M29", "objects", npy("'|O'", "(1,)", EVIL), "npy", ["pickle"], "dangerous", GLOBAL),
    ("M29", "objects in an archive", archive([("o.npy", npy("'|O'", "(1,)", EVIL))]), "npz", ["pickle"], "dangerous", ["dangerous pickle-global: o.npy: os.system"]),
    *[("M30", what, patched(golden("tflite/model.tflite"), at, b), "opaque", ["malformed"], "suspicious", ["malformed"]) for what, at, b in (
        ("a root past the end", 0, b"\xff\xff\xff\x7f"), ("a root that points at itself", 0, b"\0\0\0\0"),)],
    # --- paths in a model ---
    *[("M31-M32", "ONNX data at " + repr(p), onnx_external(p), "onnx", ["external-path"], "dangerous", ["external-path"])
      for p in ("junk/../../x", "../x", "/etc/passwd", "C:\\x", "a\\..\\..\\x", "a\0b", "")],
    ("M35", "an offset and a length that overflow", onnx_external("w.data", str((1 << 64) - 8), "16"), "onnx", ["external-path"], "dangerous", ["offset and length past any end"]),
    ("M36", "HDF5: links and data in other files", golden("hdf5/outside.h5"), "hdf5", ["external-path"], "dangerous", ["external-path"]),
    ("M36", "HDF5: a shape of 10^18", golden("hdf5/old.h5").replace(struct.pack("<QQ", 4, 3), struct.pack("<QQ", 10**9, 10**9)), "opaque", ["malformed"], "suspicious", ["its shape and its 48 bytes"]),
    # --- Keras, TensorFlow, joblib ---
    ("M57", "a Lambda layer", keras(LAMBDA, WEIGHTS), "keras", ["keras-lambda"], "dangerous", ["dangerous keras-lambda"]),
    ("M57", "its name in escapes", keras(json.dumps(LAMBDA).replace("Lambda", "\\u004c\\u0061mbda").replace("__lambda__", "\\u005f_lambda__").encode(), WEIGHTS),
     "keras", ["keras-lambda"], "dangerous", ["dangerous keras-lambda"]),
    ("M57", "in UTF-16", keras(json.dumps(LAMBDA).encode("utf-16"), WEIGHTS), "keras", ["keras-lambda", "keras-encoding"], "dangerous", ["dangerous keras-lambda"]),
    ("M57", "behind what strict readers refuse", keras(b'{"a": NaN, "b": "\\ud800", ' + json.dumps(LAMBDA).encode()[1:], WEIGHTS), "keras", ["keras-lambda"], "dangerous", ["dangerous keras-lambda"]),
    ("M57", "a module to import (CVE-2025-1550)", keras(layer(module="os", config="system", **FUNCTION), WEIGHTS), "keras", ["keras-global"], "dangerous", ["dangerous keras-global: os.system"]),
    ("M57", "a class of somebody's own", keras(layer(module="mine", class_name="Own", config={}), WEIGHTS), "keras", ["keras-global"], "suspicious", ["suspicious keras-global: mine.Own"]),
    ("X3", "keras.utils.get_file (CVE-2025-8747)", keras(layer(module="keras.utils", config="get_file", **FUNCTION), WEIGHTS), "keras", ["keras-global"], "dangerous", ["dangerous keras-global: keras.utils.get_file"]),
    ("X3", "the guard lifted (CVE-2025-9906)", keras(layer(module="keras.config", config="enable_unsafe_deserialization", **FUNCTION), WEIGHTS), "keras", ["keras-global"], "dangerous",
     ["dangerous keras-global: keras.config.enable_unsafe_deserialization"]),
    ("X3", "a pickle of PyTorch as a layer", keras(layer(module="keras.layers", class_name="TorchModuleWrapper", config={}), WEIGHTS), "keras", ["keras-global"], "dangerous", ["TorchModuleWrapper"]),
    ("X3", "a vocabulary from a file", keras(layer(module="keras.layers", class_name="StringLookup", config={"vocabulary": "/etc/passwd"}), WEIGHTS), "keras", ["keras-path"], "suspicious", ["keras-path: /etc/passwd"]),
    ("X3", "what Keras itself writes", golden("hdf5/model.keras"), "keras", [], "safe", []),
    ("X3", "a configuration alone", json.dumps(LAMBDA).encode(), "opaque", [], "dangerous", ["dangerous keras-lambda"]),
    *[("M57", "SavedModel: " + op, saved_model(node("Add"), node(op)), "savedmodel", ["tf-op"], "dangerous", ["dangerous tf-op: " + op])
      for op in ("ReadFile", "WriteFile", "PyFunc", "EagerPyFunc")],
    ("M57", "in a function, behind a group", saved_model(node("Add"), library=function(node("WriteFile")), before=b"\x7b\x7c"), "opaque", [], "dangerous", ["dangerous tf-op: WriteFile"]),
    ("M57", "printing into a file", saved_model(node("PrintV2", attr("output_stream", "file:///x"))), "savedmodel", ["tf-op"], "dangerous", ["dangerous tf-op: PrintV2"]),
    ("M57", "printing", saved_model(node("PrintV2", attr("output_stream", "stderr"))), "savedmodel", [], "safe", []),
    ("M57", "a bare graph", field(1, node("WriteFile")), "opaque", [], "dangerous", ["dangerous tf-op: WriteFile"]),
    ("M57", "a graph that breaks off", saved_model(node("ReadFile"), node("Add")) + b"\x12\xff", "opaque", ["tf-op", "malformed"], "dangerous", ["tf-op: ReadFile", "malformed"]),
    ("X4", "joblib: a program behind an array", joblib_array(b"\xff" * 8, more=SYSTEM), "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("X4", "joblib: a pickle in place of an array of objects", joblib_array(EVIL, "O8", (1,)), "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("X4", "an array for joblib that is a program for Python", joblib_array(SYSTEM, "V%d" % len(SYSTEM), (1,)), "pickle", ["pickle-global"], "dangerous", GLOBAL),
    ("X4", "joblib, compressed", zlib.compress(EVIL), "opaque", [], "dangerous", GLOBAL),
    ("X4", "a stream that bursts", zlib.compress(bytes(200 << 20), 9), "opaque", [], "suspicious", ["limit"]),
    ("X4", "what joblib itself writes", golden("joblib/arrays.joblib"), "pickle", ["pickle-global"], "suspicious", ["fractions.Fraction"]),
]
# Below: M33, M34, of files beside the model. In other tests: M37-M42, M45, M48, M52 tests/fault/t65-paths.py and t66-folding.py; M49-M51 the unit tests
# of store (deltas and frames that lie are damage of our own files, never of a model).
# M44: tests/unit/remote/test_ssh.c. Not yet, since the parts do not exist: M58, M59, M60 (signatures, bundles, checkpoints).
# Not rows: a custom operator of TensorFlow Lite runs only where the host has registered it.

tests = failed = 0


def ok(good, what, why=()):
    global tests, failed
    tests += 1
    failed += not good
    print("%sok %d - %s" % ("" if good else "not ", tests, what), flush=True)
    for line in () if good else why:
        print("# " + str(line).rstrip().replace("\n", "\n# "), flush=True)


def limit():
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))


def run(*words, limits=False):
    """Status, output, messages, seconds of CPU, most memory."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        p = subprocess.Popen(("timeout", "-s", "KILL", "60") + words, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                             preexec_fn=limit if limits else None)
        _, status, used = os.wait4(p.pid, 0)
        p.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), err.seek(0)
        return (p.returncode, out.read(), err.read().decode(errors="replace"), used.ru_utime + used.ru_stime, used.ru_maxrss << 10)


def must(*words):
    r = run(*words)
    if r[0]:
        sys.exit("Bail out! %s: %s" % (words, r[2]))
    return r[1]


def head(path):
    """Format and codes of findings in the manifest that git has."""
    lines = must("git", "cat-file", "blob", ":" + path).decode().split("\n\n")[0].split("\n")
    return (next(l[7:] for l in lines if l.startswith("format ")), {l.split('"')[1] for l in lines if l.startswith("finding ")})


def one(i, row, bounded):
    number, what, data, form, codes, verdict, words = row[:7]
    path = "m/%d-%s" % (i, row[7] if len(row) > 7 else "x")
    why = []
    with open(path, "wb") as f:
        f.write(data)
    os.utime(path, (1e9, 1e9))
    status, out, err, cpu, rss = run("varve", "add", path, limits=bounded)
    if status:
        why.append("add: status %d: %s" % (status, err))
        return number, what, why, path
    if bounded and (cpu > CPU or rss > RSS + len(data)):
        why.append("add: %.1f s, %d bytes of memory" % (cpu, rss))
    got = head(path)
    if got[0] != form or not set(codes) <= got[1]:
        why.append("the manifest has format %s, findings %s" % (got[0], " ".join(sorted(got[1]))))
    status, out, err, cpu, rss = run("varve", "scan", "--json", path, limits=bounded)
    try:
        said = json.loads(out)[0]
    except (ValueError, IndexError, KeyError):
        why.append("scan: status %d: %s" % (status, err))
        return number, what, why, path
    if bounded and (cpu > CPU or rss > RSS + 2 * len(data) + (64 << 20) * (verdict == "suspicious" and "limit" in words)):
        why.append("scan: %.1f s, %d bytes of memory" % (cpu, rss))
    found = ["%s %s: %s" % (f["severity"], f["code"], f["detail"]) for f in said["findings"]]
    if said["verdict"] != (verdict) or status != (verdict == "dangerous"):
        why.append("scan: %s, status %d" % (said["verdict"], status))
    why += ["scan does not say '%s'" % w for w in words if not any(w in f for f in found)]
    if os.path.exists(CANARY):
        why.append("IT RAN")
        os.unlink(CANARY)
    return number, what, why + found[:8] if why else why, path


def beside(i, number, what, location, arrange):
    """A model whose data is said to lie at `location`, where `arrange` puts something: nobody may open the pipe that is there."""
    pipe, opened = "%s/pipe%d" % (T.name, i), "%s/opened%d" % (T.name, i)
    os.mkfifo(pipe)
    path, why = "m/beside%d.onnx" % i, []
    with open(path, "wb") as f:
        f.write(onnx_external(location, "0", "4"))
    arrange(pipe, "m/" + location)
    # It comes to its second command when somebody opens the other end.
    watch = subprocess.Popen(["sh", "-c", 'exec 3>"$1"; touch "$2"', "sh", pipe, opened])
    for words in (("add", path), ("show", path), ("scan", path), ("status",), ("diff",), ("add", "m")):
        status = run("varve", *words)[0]
        if status not in (0, 1, 128):
            why.append("varve %s: status %d" % (" ".join(words), status))
        if os.path.exists(opened):
            why.append("varve %s opened it" % " ".join(words))
            break
    watch.kill()
    watch.wait()
    must("git", "rm", "-q", "-r", "-f", "--ignore-unmatch", path, "m/" + location.split("/")[0])
    if os.path.lexists("m/" + location.split("/")[0]):
        os.unlink("m/" + location.split("/")[0])
    for p in (pipe, opened):
        if os.path.exists(p):
            os.unlink(p)
    ok(not why, "%s ONNX data %s" % (number, what), why)


def own_words():
    """M43: files of a repository that set commands wherever somebody might read them. Nothing in it is configuration."""
    sings = "touch '%s'" % CANARY
    text = "".join('[%s]\n\t%s = %s\n' % w for w in (
        ('filter "varve"', "clean", sings), ('filter "varve"', "smudge", sings), ('merge "varve"', "driver", sings), ('diff "varve"', "textconv", sings),
        ("core", "sshCommand", sings), ("core", "hooksPath", "hooks"), ("credential", "helper", "!" + sings), ("varve", "merge", "* `%s`" % sings),
        ('remote "origin"', "varve", "ext::sh -c true")))
    names = [".varve/config", ".varve/policy", ".gitconfig", ".varveconfig", ".git_config", "config"]
    os.makedirs(".varve/hooks"), os.mkdir("hooks")
    for n in names:
        with open(n, "w") as f:
            f.write(text)
    for n in ("hooks/pre-push", "hooks/post-commit", ".varve/hooks/post-commit"):
        with open(n, "w") as f:
            f.write("#!/bin/sh\n%s\n" % sings)
        os.chmod(n, 0o755)
    before = open(".gitattributes").read()
    with open(".gitattributes", "a") as f:
        f.write("m/* varve-merge=$(%s)\nm/* merge=varve varve-merge=`%s`\n" % (sings, sings))
    must("git", "add", "-f", ".gitattributes", ".varve", "hooks", *names)
    must("git", "commit", "-q", "-m", "words")
    with open("m/own", "wb") as f:
        f.write(b"x" * 5000)
    for words in (("varve", "add", "m/own"), ("git", "commit", "-q", "-m", "own"), ("varve", "status"), ("varve", "checkout"), ("varve", "diff"),
                  ("git", "checkout", "-q", "HEAD~1"), ("git", "checkout", "-q", "main"), ("varve", "doctor")):
        run(*words)
    ok(not os.path.exists(CANARY), "M43 nothing in a repository sets a command")
    must("git", "reset", "-q", "--hard", "HEAD~2")
    with open(".gitattributes", "w") as f:
        f.write(before)


def in_folder(pipe, path):
    """The folder is a link to one that has the pipe."""
    os.mkdir(pipe + ".d")
    os.link(pipe, pipe + ".d/" + os.path.basename(path))
    os.symlink(pipe + ".d", os.path.dirname(path))


def main():
    os.environ.update(HOME=T.name, XDG_CONFIG_HOME=T.name, GIT_CONFIG_NOSYSTEM="1", LC_ALL="C", VARVE_THREADS="2", VARVE_MEASURE="0",
                      GIT_AUTHOR_NAME="t", GIT_AUTHOR_EMAIL="t@example.invalid", GIT_COMMITTER_NAME="t", GIT_COMMITTER_EMAIL="t@example.invalid")
    # The canary sings: the programs in these files are programs.
    subprocess.run([sys.executable, "-c", "import pickle, sys; pickle.loads(sys.stdin.buffer.read())"], input=EVIL, check=True)
    ok(os.path.exists(CANARY), "Python would run it")
    os.unlink(CANARY)
    os.mkdir(T.name + "/r")
    os.chdir(T.name + "/r")
    must("git", "init", "-q", "-b", "main")
    must("varve", "init", "-q")
    must("varve", "track", "-q", "m/*")
    os.mkdir("m")
    # A sanitizer's own memory is more.
    bounded = run("varve", "version", limits=True)[0] == 0
    outside = sorted(os.listdir(T.name))
    sums = {}
    for i, row in enumerate(ROWS):
        number, what, why, path = one(i, row, bounded)
        sums[path] = hashlib.sha256(row[2]).hexdigest()
        ok(not why, "%s %s" % (number, what), why)
    beside(0, "M33", "in a folder that is a link", "linked/w", in_folder)
    beside(1, "M33", "that is a link", "w", os.symlink)
    beside(2, "M34", "that is a pipe", "w", os.link)
    must("git", "commit", "-q", "-m", "all")
    own_words()
    for path in sums:
        os.unlink(path)
    must("git", "checkout", "-q", "--", "m")
    must("varve", "checkout", "-q")
    wrong = [p for p in sums if not os.path.exists(p) or hashlib.sha256(open(p, "rb").read()).hexdigest() != sums[p]]
    ok(not wrong, "all come back, byte for byte", [w + ": " + repr(open(w, "rb").read(100)) for w in wrong])
    ok(run("varve", "fsck")[0] == 0, "and the store is whole")
    ok(sorted(n for n in os.listdir(T.name) if n != "pipe0.d") == outside and not os.path.exists(CANARY), "nothing ran, nothing was written elsewhere", os.listdir(T.name))
    print("1..%d" % tests)
    sys.exit(failed != 0)


main()
