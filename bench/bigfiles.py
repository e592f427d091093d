"""Makes model files of 10 GiB in each format, sparse: all but their headers is a hole. For the part `locate`."""
import json
import os
import struct
import sys
import zlib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "lib"))
from mkhostile import P2, field, gguf_text, name, npy, num, s, tensor, storage, u, varint

N, EACH = 320, 32 << 20  # tensors, bytes of each: 10 GiB
DIMS = (1 << 11, 1 << 12)  # f32


class Sparse:
    def __init__(self, path):
        self.f = open(path, "wb")

    def put(self, b):
        self.f.write(b)

    def hole(self, n):
        self.f.seek(n, 1)

    def at(self):
        return self.f.tell()

    def end(self):
        self.f.truncate(self.at())
        self.f.close()


def names():
    return ["layers.%d.weight" % i for i in range(N)]


def safetensors(f):
    head = json.dumps({n: {"dtype": "F32", "shape": DIMS, "data_offsets": [i * EACH, (i + 1) * EACH]} for i, n in enumerate(names())}).encode()
    f.put(struct.pack("<Q", len(head)) + head)
    f.hole(N * EACH)


def gguf(f):
    f.put(b"GGUF" + struct.pack("<IQQ", 3, N, 0))
    for i, n in enumerate(names()):
        f.put(gguf_text(n.encode()) + struct.pack("<IQQIQ", 2, DIMS[1], DIMS[0], 0, i * EACH))
    f.hole(-f.at() % 32 + N * EACH)


def one_array(f):
    f.put(npy("'<f4'", "(%d, %d, %d)" % (N, *DIMS)))
    f.hole(N * EACH)


def archive(f, members):
    """[(name, bytes before the hole, bytes of the hole)], stored, as Python and PyTorch do past 4 GiB."""
    directory, zeros = b"", {}
    for n, head, hole in members:
        if (head, hole) not in zeros:
            crc = zlib.crc32(head)
            for _ in range(hole >> 20):
                crc = zlib.crc32(bytes(1 << 20), crc)
            zeros[head, hole] = crc
        size, b, at = len(head) + hole, n.encode(), f.at()
        common = struct.pack("<HHHHHIIIH", 45, 0, 0, 0, 0, zeros[head, hole], size, size, len(b))
        far = at > 0xfffffffe
        extra = struct.pack("<HHQ", 1, 8, at) if far else b""
        f.put(b"PK\x03\x04" + common + b"\0\0" + b + head)
        f.hole(hole)
        directory += b"PK\x01\x02" + struct.pack("<H", 45) + common + struct.pack("<HHHHII", len(extra), 0, 0, 0, 0,
                                                                               0xffffffff if far else at) + b + extra
    at = f.at()
    f.put(directory)
    f.put(b"PK\x06\x06" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, len(members), len(members), len(directory), at))
    f.put(b"PK\x06\x07" + struct.pack("<IQI", 0, at + len(directory), 1))
    f.put(b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), 0xffffffff, 0))


def npz(f):
    archive(f, [(n + ".npy", npy("'<f4'", DIMS), EACH) for n in names()])


def state(word="storage"):
    """data.pkl of all tensors."""
    def one(i, n):
        of = storage(str(i), count=EACH // 4, word=word)
        return u(n) + tensor(of[:-2] + (b"NtQ" if word != "storage" else b"tQ"), size=DIMS, stride=(DIMS[1], 1))
    return P2 + b"}(" + b"".join(one(i, n) for i, n in enumerate(names())) + b"u."


def torch(f):
    archive(f, [("m/data.pkl", state(), 0)] + [("m/data/%d" % i, b"", EACH) for i in range(N)] + [("m/version", b"3\n", 0)])


def torch_legacy(f):
    magic = 0x1950a86a20f9469cfc6c.to_bytes(10, "little")
    f.put(P2 + b"\x8a\x0a" + magic + b"." + P2 + b"M\xe9\x03." + P2 + b"}" + u("little_endian") + b"\x88s.")
    f.put(P2 + b"}(" + b"".join(u(n) + tensor(storage(str(i), count=EACH // 4)[:-2] + b"NtQ", size=DIMS, stride=(DIMS[1], 1))
                                for i, n in enumerate(names())) + b"u.")
    f.put(P2 + b"](" + b"".join(u(str(i)) for i in sorted(range(N), key=str)) + b"e.")
    for _ in range(N):
        f.put(struct.pack("<q", EACH // 4))
        f.hole(EACH)


def bare_pickle(f):
    """As a protocol that holds its arrays as bytes; the first 64 MiB are walked."""
    f.put(b"\x80\x04](")
    for _ in range(N):
        f.put(b"\x8e" + struct.pack("<Q", EACH))
        f.hole(EACH)
    f.put(b"e.")


def flax(f):
    f.put(b"\xde" + struct.pack(">H", N))
    for n in names():
        inner = b"\x93\x92\xcd" + struct.pack(">H", DIMS[0]) + b"\xcd" + struct.pack(">H", DIMS[1]) + b"\xa7float32\xc6" + struct.pack(">I", EACH)
        f.put(b"\xd9" + bytes([len(n)]) + n.encode() + b"\xc9" + struct.pack(">I", len(inner) + EACH) + b"\x01" + inner)
        f.hole(EACH)


def onnx(f):
    """2 GiB are all that protocol buffers can have."""
    pieces, size = [], 0
    for n in names()[:60]:
        head = field(1, DIMS[0]) + field(1, DIMS[1]) + field(2, 1) + field(8, n) + varint(9 << 3 | 2) + varint(EACH)
        pieces.append(b"\x2a" + varint(len(head) + EACH) + head)
        size += len(pieces[-1]) + EACH
    graph = field(1, field(1, names()[0]) + field(2, "y") + field(4, "Identity")) + field(2, "g")
    f.put(field(1, 8) + field(8, field(2, 17)) + varint(7 << 3 | 2) + varint(len(graph) + size) + graph)
    for p in pieces:
        f.put(p)
        f.hole(EACH)


def table(out, fields):
    """A flatbuffer's table: [(slot, bytes or None)], a vtable before it; returns where each slot's value stands."""
    n = max(slot for slot, _ in fields) + 1
    size, places = 4, {}
    for slot, value in fields:
        size += -size % len(value)
        places[slot] = size
        size += len(value)
    out += bytes(-len(out) % 8)
    vtable = struct.pack("<HH", 4 + 2 * n, size) + b"".join(struct.pack("<H", places.get(i, 0)) for i in range(n))
    vtable += bytes(-len(vtable) % 8)
    at = len(out) + len(vtable)
    body = bytearray(size)
    body[:4] = struct.pack("<i", len(vtable))
    for slot, value in fields:
        body[places[slot]:places[slot] + len(value)] = value
    out += vtable + body
    return at, {slot: at + p for slot, p in places.items()}


def point(out, at, to):
    out[at:at + 4] = struct.pack("<I", to - at)


def vector(out, n, width):
    out += bytes(-len(out) % 8 + 4)
    at = len(out)
    out += struct.pack("<I", n) + bytes(n * width)
    return at


def tflite(f):
    """Buffers behind the flatbuffer, as past 2 GiB."""
    out = bytearray(8)
    out[4:8] = b"TFL3"
    model, m = table(out, [(0, struct.pack("<I", 3)), (2, bytes(4)), (4, bytes(4))])
    point(out, 0, model)
    graphs = vector(out, 1, 4)
    point(out, m[2], graphs)
    graph, g = table(out, [(0, bytes(4))])
    point(out, graphs + 4, graph)
    tensors = vector(out, N, 4)
    point(out, g[0], tensors)
    for i, n in enumerate(names()):
        t, at = table(out, [(0, bytes(4)), (1, b"\0"), (2, struct.pack("<I", i + 1)), (3, bytes(4))])
        point(out, tensors + 4 + 4 * i, t)
        shape = vector(out, 2, 4)
        out[shape + 4:shape + 12] = struct.pack("<ii", *DIMS)
        point(out, at[0], shape)
        text = vector(out, len(n) + 1, 1)
        out[text:text + 4 + len(n)] = struct.pack("<I", len(n)) + n.encode()
        point(out, at[3], text)
    buffers = vector(out, N + 1, 4)
    point(out, m[4], buffers)
    places = []
    for i in range(N + 1):
        b, at = table(out, [(1, struct.pack("<Q", 0)), (2, struct.pack("<Q", EACH if i else 0))])
        point(out, buffers + 4 + 4 * i, b)
        places.append(at[1])
    start = len(out) + -len(out) % 16
    for i in range(1, N + 1):
        out[places[i]:places[i] + 8] = struct.pack("<Q", start + (i - 1) * EACH)
    f.put(bytes(out))
    f.hole(start - len(out) + N * EACH)


def hdf5(path):
    """With h5py, where it is installed: contiguous datasets that nobody wrote to."""
    import h5py
    with h5py.File(path, "w") as f:
        for n in names():
            create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
            create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
            h5py.h5d.create(f.id, n.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple(DIMS), create)


FORMATS = {"safetensors": safetensors, "GGUF": gguf, "npy": one_array, "npz, stored": npz, "PyTorch": torch,
           "PyTorch before 1.6": torch_legacy, "Flax": flax, "TensorFlow Lite": tflite, "ONNX (2 GiB: its limit)": onnx,
           "pickle": bare_pickle}


def make(folder):
    """Yields (what, path); a file is gone when the next is asked for."""
    for what, fn in FORMATS.items():
        path = os.path.join(folder, "big")
        f = Sparse(path)
        fn(f)
        f.end()
        yield what, path
        os.unlink(path)
    try:
        path = os.path.join(folder, "big.h5")
        hdf5(path)
    except ImportError:
        return
    yield "HDF5, contiguous", path
    os.unlink(path)
