"""Makes hostile model files for tests/cli/t34-hostile.py, with Python's library alone. They are never loaded by it.

Whatever would run would only touch a file of the test's folder: the command is handed in.
"""
import io
import json
import struct
import zipfile
import zlib

# --- pickles ---

P2, P4 = b"\x80\x02", b"\x80\x04"


def s(text):
    """SHORT_BINUNICODE, or BINUNICODE."""
    b = text.encode() if isinstance(text, str) else text
    return b"\x8c" + bytes([len(b)]) + b if len(b) < 256 else b"X" + struct.pack("<I", len(b)) + b


def u(text):
    """BINUNICODE, which PyTorch's own reader takes."""
    b = text.encode()
    return b"X" + struct.pack("<I", len(b)) + b


def name(module, attr):
    return b"c" + module.encode() + b"\n" + attr.encode() + b"\n"


def stack_name(module, attr):
    return s(module) + s(attr) + b"\x93"


def call(module, attr, *args):
    """A global called with texts."""
    return name(module, attr) + b"(" + b"".join(u(a) for a in args) + b"tR"


def num(n):
    return b"J" + struct.pack("<i", n) if abs(n) < 1 << 31 else b"\x8a\x09" + n.to_bytes(9, "little", signed=True)


# --- archives ---


def archive(members, method=zipfile.ZIP_STORED):
    """[(name, bytes)]: duplicates and all."""
    import warnings
    out = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as z:
        warnings.simplefilter("ignore")
        for n, data in members:
            z.writestr(zipfile.ZipInfo(n), data, method)
    return out.getvalue()


def storage(key="0", kind="FloatStorage", count=4, location="cpu", word="storage"):
    return b"(" + u(word) + name("torch", kind) + u(key) + u(location) + num(count) + b"tQ"


def tensor(of=None, offset=0, size=(2, 2), stride=(2, 1)):
    dims = [b"(" + b"".join(num(n) for n in t) + b"t" for t in (size, stride)]
    return name("torch._utils", "_rebuild_tensor_v2") + b"(" + (of or storage()) + num(offset) + dims[0] + dims[1] + b"\x89" + \
        name("collections", "OrderedDict") + b")RtR"


def state(value, more=b""):
    """data.pkl of {"w": value}."""
    return P2 + b"}" + u("w") + value + b"s" + more + b"."


def torch(pickle, others=(), data=bytes(16), top="m"):
    return archive([(top + "/data.pkl", pickle), (top + "/version", b"3\n"), (top + "/data/0", data), *others])


def patched(data, at, new):
    return data[:at] + new + data[at + len(new):]


def second_header(data, name):
    """Where the directory's entry of that member begins."""
    at = -1
    while True:
        at = data.index(b"PK\x01\x02", at + 1)
        if data[at + 46:at + 46 + len(name)] == name:
            return at


def many_members(n):
    """n entries for one empty member, and an end record whose count has wrapped."""
    local = b"PK\x03\x04" + bytes(22) + struct.pack("<HH", 1, 0) + b"a"
    entry = b"PK\x01\x02" + bytes(24) + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"a"
    return local + entry * n + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, n & 0xffff, n & 0xffff, len(entry) * n, len(local), 0)


def quoted_overlap(n, size):
    """A bomb of one kernel that n members share."""
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    kernel = raw.compress(bytes(size)) + raw.flush()
    crc = zlib.crc32(bytes(size))
    head = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0, crc, len(kernel), size)
    body = b"PK\x03\x04" + head + struct.pack("<HH", 1, 0) + b"x" + kernel
    entries = b"".join(b"PK\x01\x02" + struct.pack("<H", 20) + head + struct.pack("<HHHHHII", 1, 0, 0, 0, 0, 0, 0) + b"x"
                       for _ in range(n))
    return body + entries + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, n, n, len(entries), len(body), 0)


def zip64_lie(members):
    """A zip64 end record that counts other members than the end record."""
    data = archive(members)
    end = data.rindex(b"PK\x05\x06")
    n, size, off = struct.unpack("<HII", data[end + 10:end + 20])
    record = b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, n + 1, n + 1, size, off)
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, end, 1)
    return data[:end] + record + locator + data[end:]


def no_count(members):
    """An end record that counts no members, and has no directory."""
    data = archive(members)
    end = data.rindex(b"PK\x05\x06")
    return patched(data, end + 8, bytes(12))


def first_entry(members, at, new):
    """The directory's first entry says something else."""
    data = archive(members)
    return patched(data, data.index(b"PK\x01\x02") + at, new)


def local_entry(members, name, at, new):
    """The local header of that member says something else."""
    data = archive(members)
    return patched(data, data.index(b"PK\x03\x04", data.index(name) - 30) + at, new)


# --- other formats ---


def safetensors(head, body=b"", size=None):
    h = head if isinstance(head, bytes) else json.dumps(head).encode()
    return struct.pack("<Q", len(h) if size is None else size) + h + body


def f32(begin, end, shape=(1,), **more):
    return dict({"dtype": "F32", "shape": list(shape), "data_offsets": [begin, end]}, **more)


def gguf_text(b):
    return struct.pack("<Q", len(b)) + b


def gguf(tensors=(), pairs=(), n_tensors=None, n_pairs=None, body=bytes(64), align=32):
    """tensors: (name, dims, type, offset); pairs: (key, type, bytes of the value)."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors) if n_tensors is None else n_tensors,
                                len(pairs) if n_pairs is None else n_pairs)
    for key, kind, value in pairs:
        out += gguf_text(key) + struct.pack("<I", kind) + value
    for key, dims, kind, off in tensors:
        out += gguf_text(key) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims) + \
            struct.pack("<IQ", kind, off)
    return out + bytes(-len(out) % align) + body


def npy(descr, shape, body=b"", version=1, size=None):
    h = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    h += b" " * (-(len(h) + 11) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(h) if size is None else size) + h + body


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    """A field of protocol buffers: a number, or bytes."""
    return varint(number << 3) + varint(value) if isinstance(value, int) else \
        varint(number << 3 | 2) + varint(len(value)) + (value.encode() if isinstance(value, str) else value)


def onnx_external(location, offset=None, length=None):
    """A model with one initializer whose data is said to lie there."""
    t = field(1, 1) + field(2, 1) + field(8, "w") + field(14, 1)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            t += field(13, field(1, key) + field(2, value))
    graph = field(1, field(1, "w") + field(2, "y") + field(4, "Identity")) + field(2, "g") + field(5, t)
    return field(1, 8) + field(7, graph) + field(8, field(2, 17))


def node(op, attr=b""):
    return field(1, "n") + field(2, op) + attr


def attr(key, text):
    return field(5, field(1, key) + field(2, field(2, text)))


def saved_model(*nodes, library=b"", before=b""):
    graph = b"".join(field(1, n) for n in nodes) + library
    return field(1, 1) + before + field(2, field(1, field(4, "serve")) + field(2, graph))


def function(*nodes):
    """A library with one function."""
    return field(2, field(1, field(1, field(1, "f")) + b"".join(field(3, n) for n in nodes)))


def keras(config, weights):
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    return archive([("metadata.json", b'{"keras_version": "3.8.0"}'), ("config.json", text), ("model.weights.h5", weights)])


def layer(**config):
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": [config]}}


def joblib_array(body, dtype="f4", shape=(2,), more=b""):
    """[array, more] as joblib has it: the bytes of the array lie between the opcodes."""
    state = b"}(" + s("shape") + b"(" + b"".join(num(n) for n in shape) + b"t" + s("dtype") + stack_name("numpy", "dtype") + \
        b"(" + s(dtype) + b"\x89\x88tRu"
    return P4 + b"](" + stack_name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81" + state + b"b" + body + more + b"e."
