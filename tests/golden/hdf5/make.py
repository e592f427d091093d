"""Writes the files beside it with h5py and Keras, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (h5py 3.16 with HDF5 2.0, Keras 3.15 on PyTorch)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs. Offsets are those that the library reports, and
what stands there is compared with what it reads.
"""
import os
import sys
import zipfile

import h5py
import numpy as np

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
OURS = {'bool': 'bool', 'uint8': 'u8', 'int8': 'i8', 'uint16': 'u16', 'int16': 'i16', 'uint32': 'u32', 'int32': 'i32',
        'uint64': 'u64', 'int64': 'i64', 'float16': 'f16', 'float32': 'f32', 'float64': 'f64', 'bfloat16': 'bf16'}


def values(n, seed=0):
    return bytes((seed * 31 + i * 7 + 1) & 255 for i in range(n))


def array(dtype, shape, seed=0):
    a = np.dtype(dtype)
    n = int(np.prod(shape)) * a.itemsize
    return np.frombuffer(values(n, seed), a).reshape(shape)


def links(group, path=''):
    """(path, object) of each hard link, of a group once."""
    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        o = group[name]
        yield path + name, o
        if isinstance(o, h5py.Group):
            yield from links(o, path + name + '/')


def place(d, data, start):
    """Where its elements are; None when varve sees no tensor."""
    p = d.id.get_create_plist()
    if not d.size or not d.id.get_storage_size() or d.is_virtual or d.external or d.dtype.name not in OURS or d.dtype.byteorder == '>' or d.ndim > 8:
        return None
    raw = d[()].tobytes()
    if p.get_layout() == h5py.h5d.COMPACT:
        assert data.count(raw) == 1
        return data.index(raw), raw
    if p.get_layout() == h5py.h5d.CHUNKED:
        if d.chunks != d.shape or p.get_nfilters() or None in d.maxshape or d.maxshape != d.shape:
            return None
        return start + d.id.get_chunk_info(0).byte_offset, raw
    return start + d.id.get_offset(), raw


def expect(file, *findings, inside=None, start=0):
    """`start`: where the HDF5 file lies in the file."""
    with open(os.path.join(here, file), 'rb') as f:
        data = f.read()
    rows = []
    with h5py.File(inside or os.path.join(here, file)) as h:
        for path, o in links(h):
            at = isinstance(o, h5py.Dataset) and place(o, data, start)
            if at:
                assert data[at[0]:at[0] + len(at[1])] == at[1], (file, path)
                rows.append((at[0], path, OURS[o.dtype.name], '[' + ','.join(map(str, o.shape)) + ']', len(at[1])))
    for off, path, dtype, shape, n in sorted(rows):
        table.append((file, path, dtype, shape, '-', str(off), str(n)))
    for code in findings:
        table.append((file, '!', code))


def h5(file, **kw):
    return h5py.File(os.path.join(here, file), 'w', **kw)


def types(file, libver):
    with h5(file, libver=libver) as f:
        for i, t in enumerate(t for t in OURS if t not in ('bool', 'bfloat16')):
            f[t] = array(t, (3, 2), i)
        f['bool'] = np.array([True, False, True])
        f['big'] = array('>f4', (2,))
        f['text'] = 'text'
        f['scalar'] = np.float32(1.5)
        f['none'] = np.zeros((0, 3), 'f4')
        f['null'] = h5py.Empty('f4')
        f['complex'] = array('c8', (2,))
        f['dims'] = array('i1', (1, 2) * 5)
    expect(file, 'big-endian', 'unknown-dtype', 'limit')


def model(file, seed, **kw):
    """Small things in the header, many attributes, names of one dataset, links of all kinds."""
    with h5(file, **kw) as f:
        a = f.create_group('a')
        a['w'] = array('f4', (4, 3), seed)
        a['bias'] = array('f2', (3,), seed + 1)
        f['tied'] = a['w']
        f['soft'] = h5py.SoftLink('/a/w')
        f['loop'] = a
        p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        p.set_layout(h5py.h5d.COMPACT)
        small = h5py.Dataset(h5py.h5d.create(f.id, b'small', h5py.h5t.IEEE_F64LE, h5py.h5s.create_simple((3,)), p))
        small[...] = array('f8', (3,), seed + 2)
        for i in range(3):
            small.attrs[f'attribute {i}'] = np.arange(5) + i
        f.create_dataset('one', data=array('i4', (2, 5), seed + 3), chunks=(2, 5))
        f.create_dataset('never', (7,), 'f4')


def walk_loops(file, *findings):
    """`loop` is a second path to the group `a`: varve takes the first that it comes upon."""
    expect(file, *findings)
    for i, row in enumerate(table):
        if row[0] == file and row[1].startswith('loop/'):
            table[i] = None
    table[:] = [r for r in table if r]


def stored(file):
    with h5(file, libver='latest') as f:
        f.create_dataset('chunks', data=array('f4', (8, 8)), chunks=(4, 8))
        f.create_dataset('zipped', data=array('f4', (8, 8)), chunks=(8, 8), compression='gzip')
        f['bool'] = np.array([True, False, True])
        f.create_dataset('grows', data=array('f4', (2, 2)), chunks=(2, 2), maxshape=(None, 2))
        f['w'] = array('f4', (2, 2))
    expect(file, 'chunked')


def outside(file):
    with h5(file, libver='latest') as f:
        f['linked'] = h5py.ExternalLink('/etc/passwd', '/x')
        f.create_dataset('stored', (4,), 'f4', external=[('../secret.bin', 0, 16)])
        v = h5py.VirtualLayout((4,), 'f4')
        v[:] = h5py.VirtualSource('other.h5', 'w', (4,))
        f.create_virtual_dataset('virtual', v)
        f['w'] = array('f4', (2, 2))
    expect(file, 'external-path', 'external-path')


def many(file, n, libver):
    with h5(file, libver=libver) as f:
        g = f.create_group('g')
        g['w'] = array('u1', (2,))
        for i in range(n):
            g[f'name {i}'] = g['w']
    expect(file)


def keras_files():
    os.environ['KERAS_BACKEND'] = 'torch'
    import keras
    keras.utils.set_random_seed(1)
    m = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name='d')])
    path = os.path.join(here, 'model.keras')
    m.save(path)
    with zipfile.ZipFile(path) as z:
        info = z.getinfo('model.weights.h5')
        members = [(i, z.read(i)) for i in z.infolist()]
    start = info.header_offset + 30 + len(info.filename)
    inside = os.path.join(here, 'inside')
    with open(inside, 'wb') as f:
        f.write(members[-1][1])
    expect('model.keras', inside=inside, start=start)
    os.unlink(inside)
    with zipfile.ZipFile(os.path.join(here, 'deflated.keras'), 'w', zipfile.ZIP_DEFLATED) as z:
        for i, data in members:
            z.writestr(zipfile.ZipInfo(i.filename), data, zipfile.ZIP_DEFLATED)
    table.append(('deflated.keras', '!', 'deflated'))


types('types.h5', 'earliest')
model('old.h5', 1, libver='earliest')
model('new.h5', 1, libver='latest')
model('new-changed.h5', 7, libver='latest')
model('v108.h5', 1, libver=('v108', 'v108'), userblock_size=512)
for file in ('old.h5', 'new.h5', 'new-changed.h5', 'v108.h5'):
    walk_loops(file)
stored('stored.h5')
outside('outside.h5')
many('many-new.h5', 60, 'latest')
keras_files()

with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(row) + '\n')
