"""Writes the files beside it with NumPy, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (numpy 2, ml_dtypes)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs. Of an array in a deflated member offset and bytes are the
member's, and two fields follow: `deflate`, and the bytes of its header.
"""
import io
import os
import struct
import sys
import zipfile
import zlib

import ml_dtypes
import numpy as np

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(20)
table = []
TYPES = {'b1': 'bool', 'u1': 'u8', 'i1': 'i8', 'u2': 'u16', 'i2': 'i16', 'u4': 'u32', 'i4': 'i32', 'u8': 'u64',
         'i8': 'i64', 'f2': 'f16', 'f4': 'f32', 'f8': 'f64', 'c8': 'c64', 'c16': 'c128'}


def dims(t):
    return '[' + ','.join(map(str, t)) + ']'


def tensor(file, name, a, off):
    strides = '-'
    if not a.flags.c_contiguous:
        strides = dims(s // a.itemsize for s in a.strides)
    table.append((file, name, TYPES[a.dtype.str[1:]], dims(a.shape), strides, str(off), str(a.nbytes)))


def finding(file, code):
    table.append((file, '!', code))


def put(file, data):
    with open(os.path.join(here, file), 'wb') as f:
        f.write(data)


def npy(file, a, found=None, version=None, **kw):
    out = io.BytesIO()
    if version:
        np.lib.format.write_array(out, a, version=version)
    else:
        np.save(out, a, **kw)
    put(file, out.getvalue())
    if found:
        finding(file, found)
    elif a.dtype.str[1:] in TYPES and a.dtype.str[0] != '>':
        tensor(file, 'array', a, len(out.getvalue()) - a.nbytes)


def hand(file, header, a, version=1):
    text = header.encode()
    n = struct.pack('<H' if version == 1 else '<I', len(text))
    data = b'\x93NUMPY' + bytes([version, 0]) + n + text + a.tobytes('A')
    put(file, data)
    tensor(file, 'array', a, len(data) - a.nbytes)


def sample(t, shape):
    d = np.dtype(t)
    return np.frombuffer(rng.bytes(int(np.prod(shape)) * d.itemsize), d).reshape(shape) if t != '|b1' else \
        rng.integers(0, 2, shape).astype(bool)


for t in TYPES:
    npy(f'type-{t}.npy', sample(('|' if t[1:] == '1' else '<') + t, (3, 2)))
npy('scalar.npy', np.float32(2.5) + np.zeros((), 'f4'))
npy('vector.npy', sample('<f8', (5,)))
npy('empty.npy', np.zeros((0, 3), 'f4'))
npy('dims8.npy', sample('<i2', (1, 2, 1, 2, 1, 2, 1, 2)))
npy('fortran2.npy', np.asfortranarray(sample('<f4', (3, 4))))
npy('fortran3.npy', np.asfortranarray(sample('<i8', (2, 3, 4))))
npy('fortran-flat.npy', np.asfortranarray(sample('<i8', (1, 5, 1))))
npy('version2.npy', sample('<f4', (3, 4)), version=(2, 0))
npy('version3.npy', sample('<f4', (3, 4)), version=(3, 0))
npy('big-endian.npy', sample('>f4', (3, 4)), 'big-endian')
npy('text.npy', np.array(['ab', 'cde']))
npy('bytes.npy', np.array([b'ab', b'cde']))
npy('dates.npy', np.array(['2026-01-01'], 'M8[ns]'))
npy('void.npy', np.zeros(3, 'V5'))
npy('bfloat16.npy', np.ones((2, 2), ml_dtypes.bfloat16))
npy('longdouble.npy', np.ones(2, np.longdouble))
npy('record.npy', np.zeros(2, [('a', '<f4'), ('b', '<i2', (2,)), ('ü"\'', [('c', 'S3')])]))
npy('record-object.npy', np.zeros(2, [('a', '<f4'), ('b', 'O')]), 'pickle', allow_pickle=True)
npy('object.npy', np.array([None, {'a': 1}], object), 'pickle', allow_pickle=True)

ab = sample('<f4', (2, 3))
hand('python2.npy', "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }      \n", ab)
hand('order.npy', '{ "shape" :( 2,3 ),"fortran_order":False,\'descr\': "<f4"}', ab)
hand('tight.npy', "{'shape':(2,3,),'descr':'<f4','fortran_order':False}", ab, 2)


class Pipe(io.RawIOBase):
    """A file that cannot seek: then zipfile writes data descriptors."""

    def __init__(self):
        self.data = b''

    def writable(self):
        return True

    def write(self, b):
        self.data += bytes(b)
        return len(b)


def member(data, name):
    """Where the stored member's bytes are."""
    z = zipfile.ZipFile(io.BytesIO(data))
    at = z.getinfo(name).header_offset
    n, extra = struct.unpack('<HH', data[at + 26:at + 30])
    return at + 30 + n + extra, z.getinfo(name).file_size


def packed(file, name, a, data):
    at, _ = member(data, name + '.npy')
    info = zipfile.ZipFile(io.BytesIO(data)).getinfo(name + '.npy')
    assert zlib.decompress(data[at:at + info.compress_size], -15).endswith(a.tobytes('A'))
    strides = '-' if a.flags.c_contiguous else dims(s // a.itemsize for s in a.strides)
    table.append((file, name, TYPES[a.dtype.str[1:]], dims(a.shape), strides, str(at), str(info.compress_size), 'deflate',
                  str(info.file_size - a.nbytes)))


def npz(file, arrays, found=(), write=np.savez, more=()):
    out = io.BytesIO()
    write(out, **arrays)
    if more:
        with zipfile.ZipFile(out, 'a') as z:
            for name, text in more:
                z.writestr(zipfile.ZipInfo(name), text)
    data = out.getvalue()
    put(file, data)
    for name, a in arrays.items():
        if write is np.savez and a.dtype.str[1:] in TYPES and a.dtype.str[0] != '>':
            off, size = member(data, name + '.npy')
            tensor(file, name, a, off + size - a.nbytes)
        elif write is np.savez_compressed and a.dtype.str[1:] in TYPES and a.dtype.str[0] != '>':
            packed(file, name, a, data)
    for code in found:
        finding(file, code)


def through_pipe(out, **arrays):
    p = Pipe()
    np.savez(p, **arrays)
    out.write(p.data)


w, b, f = sample('<f4', (4, 3)), sample('<f2', (3,)), np.asfortranarray(sample('<f8', (3, 2)))
model = {'layer.0/weight': w, 'layer.0/bias': b, 'f': f, 'step': np.array(7), 'größe': sample('<i4', (1,))}
npz('model.npz', model)
npz('model-changed.npz', dict(model, f=np.asfortranarray(f + 1), step=np.array(8)))
npz('model-reshaped.npz', dict(model, **{'layer.0/bias': sample('<f8', (2, 2)), 'step': np.array([8])}))
npz('model-more.npz', dict(model, extra=sample('|u1', (9,))))
npz('model-fewer.npz', {'f': f, 'layer.0/weight': w})
npz('model-none.npz', {})
npz('mixed.npz', {'w': w, 'names': np.array(['a', 'b']), 'o': np.array([{}], object), 'big': w.astype('>f4'), 'b': b},
    ['pickle', 'big-endian'], more=[('note.txt', b'not an array'), ('bad.npy', b'nor is this')])
finding('mixed.npz', 'malformed')
big = np.tile(np.arange(50, dtype='<f4'), (40, 1))
small = {'w': w, 'b': b, 'f': f, 'big': big, 'none': np.zeros((0, 3), 'f4'), 'names': np.array(['a', 'b']),
         'o': np.array([{}], object)}
npz('compressed.npz', small, ['pickle'], np.savez_compressed)
npz('compressed-changed.npz', dict(small, big=big + 1, f=np.asfortranarray(f + 1)), ['pickle'], np.savez_compressed)
out = io.BytesIO()
with zipfile.ZipFile(out, 'w') as z:
    for name, a, how in (('w', w, 0), ('big', big, 8)):
        one = io.BytesIO()
        np.save(one, a)
        z.writestr(zipfile.ZipInfo(name + '.npy'), one.getvalue(), how)
put('partly.npz', out.getvalue())
off, size = member(out.getvalue(), 'w.npy')
tensor('partly.npz', 'w', w, off + size - w.nbytes)
packed('partly.npz', 'big', big, out.getvalue())
out = io.BytesIO()
through_pipe(out, w=w, b=b)
put('pipe.npz', out.getvalue())
for name, a in (('w', w), ('b', b)):
    off, size = member(out.getvalue(), name + '.npy')
    tensor('pipe.npz', name, a, off + size - a.nbytes)

with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(row) + '\n')
