"""Writes the files beside it with h5py and Keras, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (h5py 3.16 with HDF5 2.0, Keras 3.15 on PyTorch)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs. Offsets are those that the library reports, and
what stands there is compared with what it reads. Of a filtered chunk two fields follow: its coding, and 0.
`graphs` has what Keras sees of the layers of some files, in the lines that tests/lib/graphs.h describes.
"""
import os
import sys
import zipfile
import zlib

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


def type_of(d):
    """Keras' bfloat16 is two bytes and an attribute."""
    return d.attrs.get('dtype', d.dtype.name) if d.dtype == 'V2' else d.dtype.name


def place(d, data, start):
    """Where its elements are: [(offset, name behind the path, shape, bytes, coding or None)]."""
    p = d.id.get_create_plist()
    if not d.size or not d.id.get_storage_size() or d.is_virtual or d.external or type_of(d) not in OURS or d.dtype.byteorder == '>' or d.ndim > 8:
        return []
    raw = d[()].tobytes()
    if p.get_layout() == h5py.h5d.COMPACT:
        assert data.count(raw) == 1
        return [(data.index(raw), '', d.shape, len(raw), None)]
    if p.get_layout() == h5py.h5d.CHUNKED:
        return chunks(d, data, start, [p.get_filter(i)[0] for i in range(p.get_nfilters())])
    assert data[start + d.id.get_offset():].startswith(raw)
    return [(start + d.id.get_offset(), '', d.shape, len(raw), None)]


STEPS = {1: 'zlib', 2: 'shuffle', 3: 'fletcher32'}


def chunks(d, data, start, filters):
    if set(filters) - set(STEPS):
        return []
    found, whole = [], d[()]
    for i in range(d.id.get_num_chunks()):
        c = d.id.get_chunk_info(i)
        used = [STEPS[f] for k, f in enumerate(filters) if not c.filter_mask >> k & 1]
        raw = data[start + c.byte_offset:][:c.size]
        if 'fletcher32' in used:
            raw = raw[:-4]
        if 'zlib' in used:
            raw = zlib.decompress(raw)
        if 'shuffle' in used:
            raw = np.frombuffer(raw, 'u1').reshape(d.dtype.itemsize, -1).T.tobytes()
        part = whole[tuple(slice(o, o + n) for o, n in zip(c.chunk_offset, d.chunks))]
        stored = np.frombuffer(raw, d.dtype).reshape(d.chunks)[tuple(map(slice, part.shape))]
        assert stored.tobytes() == part.tobytes(), (d, c)
        name = '' if d.chunks == d.shape else '[' + ','.join(map(str, c.chunk_offset)) + ']'
        found.append((start + c.byte_offset, name, d.chunks, c.size, '-'.join(used) or None))
    return found


def expect(file, *findings, inside=None, start=0):
    """`start`: where the HDF5 file lies in the file."""
    with open(os.path.join(here, file), 'rb') as f:
        data = f.read()
    rows = []
    with h5py.File(inside or os.path.join(here, file)) as h:
        for path, o in links(h):
            if isinstance(o, h5py.Dataset):
                for off, name, shape, n, coding in place(o, data, start):
                    rows.append((off, path + name, OURS[type_of(o)], '[' + ','.join(map(str, shape)) + ']', '-', str(off), str(n)) +
                                ((coding, '0') if coding else ()))
    for row in sorted(rows):
        table.append((file,) + row[1:])
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
        f.create_dataset('other', data=np.zeros((64,), 'f4'), chunks=(64,), compression='lzf')
        f['w'] = array('f4', (2, 2))
    expect(file, 'chunked')


def many_chunks(file, libver):
    """Each kind of index, in levels and filtered; chunks past the edge, ones that were never written, ones left over."""
    zeros = np.zeros((8, 16), 'f4')
    with h5(file, libver=libver) as f:
        f.create_dataset('edge', data=array('f4', (3, 5), 1), chunks=(2, 3))
        f.create_dataset('all', data=zeros + 1, chunks=(8, 8), compression='gzip', shuffle=True, fletcher32=True)
        f.create_dataset('gzip', data=np.concatenate([zeros, np.frombuffer(np.random.default_rng(1).bytes(512), 'f4').reshape(8, 16)]),
                         chunks=(8, 16), compression='gzip', shuffle=True)
        f.create_dataset('any', data=array('u1', (6, 30), 4), chunks=(1, 2), maxshape=(None, None))
        d = f.create_dataset('sparse', (9, 4), 'u1', chunks=(3, 2))
        d[4, 3] = 7
        f['other name'] = f['edge']
        if libver == 'earliest':
            return
        f.create_dataset('sum', data=array('i2', (7,), 2), chunks=(7,), fletcher32=True)
        f.create_dataset('turn', data=array('f8', (4,), 2), chunks=(2,), shuffle=True)
        f.create_dataset('column', data=array('u1', (2, 90), 3), chunks=(2, 1), maxshape=(2, None))
        f.create_dataset('packed column', data=array('u1', (40,), 3), chunks=(1,), maxshape=(None,), compression='gzip')
        f.create_dataset('packed any', data=array('u2', (2, 3), 4), chunks=(1, 2), maxshape=(None, None), shuffle=True)
        d = f.create_dataset('shrunk', data=array('u1', (8,), 5), chunks=(2,), maxshape=(9,))
        d.resize((3,))
        f.create_dataset('once more', (5, 2), 'u1', chunks=(2, 2), maxshape=(9, 2))[...] = 3
        p = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        p.set_chunk((2, 2))
        p.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        d = h5py.Dataset(h5py.h5d.create(f.id, b'early', h5py.h5t.STD_U8LE, h5py.h5s.create_simple((3, 4)), p))
        d[...] = array('u1', (3, 4), 6)


def paged(file):
    """Indexes so long that they have pages, of which few are written."""
    with h5(file, libver='latest') as f:
        d = f.create_dataset('fixed', (1100,), 'u1', chunks=(1,))
        d[0] = d[1099] = 1
        d = f.create_dataset('grows', (200000,), 'u1', chunks=(1,), maxshape=(None,))
        for i in (0, 5, 100, 140000):
            d[i] = 1
    expect(file)


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
    keras.utils.set_random_seed(2)
    half = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name='d', dtype='bfloat16')])
    half.layers[0].kernel.assign(np.arange(6).reshape(2, 3))
    half.save_weights(os.path.join(here, 'half.weights.h5'))
    expect('half.weights.h5')
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


def deflate(path):
    with zipfile.ZipFile(path) as z:
        members = [(i.filename, z.read(i)) for i in z.infolist()]
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as z:
        for name, data in members:
            z.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def keras_graphs():
    """Models with layers of all kinds, as archives and in the older form, with what Keras sees when it loads them."""
    import keras
    from keras import layers
    keras.utils.set_random_seed(1)
    a, b = keras.Input((4,), name='a'), keras.Input((None, 2), dtype='float16', name='b')
    x = layers.LeakyReLU(name='leaky')(layers.Dense(3, activation='relu', name='dense')(a))
    y = layers.Bidirectional(layers.LSTM(2, name='lstm'), name='both')(b)
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation='gelu', name='in')], name='inner')
    z = layers.Concatenate(name='join')([inner(x), y])
    m = keras.Model([a, b], {'p': layers.Dense(1, activation='sigmoid', name='p')(z), 'z': z}, name='two')
    s = keras.Sequential([keras.Input((5, 5, 1)), layers.Conv2D(2, 3, activation='relu', name='conv'),
                          layers.Flatten(name='flat'), layers.Dense(1, name='d')], name='line')
    code = keras.Sequential([keras.Input((2,)), layers.Lambda(lambda x: x + 1, name='run')], name='code')
    c = keras.Input((2,), name='c')
    short = keras.Model(c, layers.Dense(2, activation='softmax', name='e')(c), name='short')
    lines = []
    for model, optimizer in (s, keras.optimizers.SGD(0.1, momentum=0.9)), (short, keras.optimizers.AdamW(0.01)):
        model.compile(optimizer, loss=keras.losses.MeanSquaredError())
        optimizer.build(model.trainable_variables)
    for file, model in {'two.keras': m, 'line.keras': s, 'short.h5': short, 'code.h5': code}.items():
        path = os.path.join(here, file)
        model.save(path)
        if model is m:
            deflate(path)
        lines += [(file, *line) for line in graph_lines(keras.models.load_model(path, safe_mode=False), file)]
    with open(os.path.join(here, 'graphs'), 'w', encoding='utf-8', newline='\n') as out:
        for line in lines:
            out.write('\t'.join(line) + '\n')


def graph_lines(model, file):
    import keras
    for t in model.inputs:
        layer = t._keras_history.operation
        yield 'input', layer.name, OURS[layer.dtype], '[' + ','.join('?' if d is None else str(d) for d in t.shape) + ']'
    outputs = model.outputs
    for t in outputs:
        yield 'output', t._keras_history.operation.name, '-', '-'

    def nodes(layers, depth, owner):
        for n in layers:
            inputs = [] if depth or isinstance(owner, keras.Sequential) else [
                t._keras_history.operation.name for node in n._inbound_nodes for t in node.input_tensors]
            activation = getattr(n, 'activation', None)
            activation = getattr(activation, '__name__', None)
            activation = type(n).__name__ if type(n).__name__ == 'LeakyReLU' else activation
            activation = None if activation == 'linear' or isinstance(n, keras.layers.Bidirectional) else activation
            yield 'node', str(depth), type(n).__name__, activation or '-', n.name, ','.join(inputs), ''
            if isinstance(n, keras.layers.Bidirectional):
                yield from nodes([n.forward_layer], depth + 1, n)
            if isinstance(n, keras.Sequential):
                yield from nodes(n._layers, depth + 1, n)
    yield from nodes(model._layers if isinstance(model, keras.Sequential) else model.layers, 0, model)
    yield 'fact', 'class', type(model).__name__
    yield 'fact', 'name', model.name
    yield 'fact', 'keras', keras.__version__
    if file.endswith('.h5'):
        yield 'fact', 'backend', keras.backend.backend()
    if model.compiled and model.optimizer:
        c = model.optimizer.get_config()
        said = [f'{k} {c[k]:g}' for k in ('learning_rate', 'momentum', 'weight_decay') if c.get(k)]
        yield 'optimizer', f'{type(model.optimizer).__name__} ({", ".join(said)})'


types('types.h5', 'earliest')
model('old.h5', 1, libver='earliest')
model('new.h5', 1, libver='latest')
model('new-changed.h5', 7, libver='latest')
model('v108.h5', 1, libver=('v108', 'v108'), userblock_size=512)
for file in ('old.h5', 'new.h5', 'new-changed.h5', 'v108.h5'):
    walk_loops(file)
stored('stored.h5')
for file, libver in (('chunks-old.h5', 'earliest'), ('chunks-new.h5', 'latest')):
    many_chunks(file, libver)
    expect(file)
paged('paged.h5')
outside('outside.h5')
many('many-new.h5', 60, 'latest')
keras_files()
keras_graphs()
for file in ('short.h5', 'code.h5'):
    expect(file, *['keras-lambda'] * 2 * (file == 'code.h5'))

with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(row) + '\n')
