"""Writes the checkpoints beside it with TensorFlow, and `expected`: what varve must find in their indexes.

usage: make.py [FOLDER]     (tensorflow 2.21)

Names, types and shapes are those that tf.train.load_checkpoint tells; the place of a tensor is the one place of the data
where the bytes are that it gives out. Files named edit-* are others with a change, for what TensorFlow does not write.

expected has a line for each tensor: index, name, type, shape, offset, bytes, data file. Fields are parted by tabs.
"""
import glob
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='')
import numpy as np
import tensorflow as tf

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
OURS = {tf.float32: 'f32', tf.float64: 'f64', tf.float16: 'f16', tf.bfloat16: 'bf16', tf.int8: 'i8', tf.int16: 'i16',
        tf.int32: 'i32', tf.int64: 'i64', tf.uint8: 'u8', tf.uint16: 'u16', tf.uint32: 'u32', tf.uint64: 'u64',
        tf.bool: 'bool', tf.complex64: 'c64', tf.complex128: 'c128', tf.dtypes.experimental.int4: 'i8', tf.dtypes.experimental.uint4: 'u8',
        tf.dtypes.experimental.float8_e5m2: 'f8_e5m2', tf.dtypes.experimental.float8_e4m3fn: 'f8_e4m3'}


def read(path):
    with open(path, 'rb') as f:
        return f.read()


def place(prefix, raw):
    """The data file that has these bytes, and where: it is the only one."""
    found = []
    for path in sorted(glob.glob(f'{glob.escape(prefix)}.data-*')):
        data, at = read(path), -1
        while (at := data.find(raw, at + 1)) >= 0:
            found.append((path, at))
    assert len(found) == 1, (raw, found)
    return found[0]


def line(prefix, name, ours, shape, raw):
    path, at = place(prefix, raw) if raw else (f'{prefix}.data-00000-of-00001', 0)
    table.append((os.path.basename(prefix) + '.index', name, ours, '[' + ','.join(map(str, shape)) + ']', at, len(raw),
                  os.path.basename(path)))


def tell(prefix, parts=()):
    """Lines for all tensors; `parts`: of those that are in parts, name and value of each."""
    reader = tf.train.load_checkpoint(prefix)
    shapes, types = reader.get_variable_to_shape_map(), reader.get_variable_to_dtype_map()
    for name in sorted(shapes):
        value = reader.get_tensor(name)
        if types[name] == tf.string:
            # Their lengths, the lengths' checksum, and the strings.
            items = [value] if isinstance(value, bytes) else list(value.flat)
            body = b''.join(items)
            path, at = place(prefix, body)
            front = sum(1 if len(i) < 128 else 2 for i in items) + 4
            table.append((os.path.basename(prefix) + '.index', name, 'bytes', '[]', at - front, len(body) + front,
                          os.path.basename(path)))
        elif name not in {n.split('[')[0] for n, _ in parts}:
            line(prefix, name, OURS[types[name]], shapes[name], value.tobytes())
    for name, value in parts:
        line(prefix, name, 'f32', value.shape, value.tobytes())


def values(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype('f4')


def every_type():
    v = {'empty': tf.zeros((0, 4)), 'string': tf.constant(['ab', 'cdefghi']), 'truth': tf.constant([True] * 3 + [False] * 5)}
    for i, t in enumerate(OURS):
        if t != tf.bool:
            whole = np.arange(6).reshape(2, 3) + 7 * i
            few = {'int4': [[3, 1, 4], [1, 5, 2]], 'uint4': [[2, 7, 1], [6, 2, 3]]}.get(t.name)
            v[t.name] = tf.cast(tf.constant(few or whole, dtype=tf.int8 if few else tf.float32), t)
    tf.raw_ops.SaveV2(prefix=f'{here}/types', tensor_names=list(v), shape_and_slices=[''] * len(v), tensors=list(v.values()))


def main():
    for path in glob.glob(f'{here}/*.index') + glob.glob(f'{here}/*.data-*'):
        os.remove(path)
    model = tf.keras.Sequential([tf.keras.Input((5,)), tf.keras.layers.Dense(4, name='in'),
                                 tf.keras.layers.Dense(3, dtype='float16', name='out')])
    model.set_weights([values(w.shape, i + 1) for i, w in enumerate(model.get_weights())])
    state = tf.train.Checkpoint(model=model, step=tf.Variable(0x1234567, dtype=tf.int64))
    tell(state.write(f'{here}/model'))

    every_type()
    tell(f'{here}/types')

    # A variable in parts, as parameter servers keep it.
    w = values((6, 4), 9)
    parts = {'w[0:2,:]': ('6 4 0,2:-', w[:2]), 'w[2:6,:]': ('6 4 2,4:-', w[2:])}
    far = values((3, 2), 11)
    parts['far[70000:70003,5:7]'] = ('100000 9 70000,3:5,2', far)
    tf.raw_ops.SaveV2(prefix=f'{here}/parts', tensor_names=['w', 'w', 'far', 'b'],
                      shape_and_slices=[p[0] for p in parts.values()] + [''],
                      tensors=[p[1] for p in parts.values()] + [values(3, 10)])
    for name, (_, value) in parts.items():
        line(f'{here}/parts', name, 'f32', value.shape, value.tobytes())
    line(f'{here}/parts', 'b', 'f32', (3,), values(3, 10).tobytes())

    # Two files of data.
    for i in range(2):
        tf.raw_ops.SaveV2(prefix=f'{here}/tmp-{i}', tensor_names=[f'v{i}'], shape_and_slices=[''],
                          tensors=[values((2, 3 + i), 20 + i)])
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[f'{here}/tmp-0', f'{here}/tmp-1'], destination_prefix=f'{here}/shards',
                                  delete_old_dirs=False)
    tell(f'{here}/shards')

    good = read(f'{here}/model.index')
    for what, at in ('block', 40), ('footer', len(good) - 3), ('crc', good.index(b'step') + 30):
        bad = bytearray(good)
        bad[at] ^= 1
        with open(f'{here}/edit-{what}.index', 'wb') as f:
            f.write(bad)
    with open(f'{here}/edit-short.index', 'wb') as f:
        f.write(good[:-30])
    with open(f'{here}/expected', 'w') as f:
        for row in table:
            f.write('\t'.join(map(str, row)) + '\n')


main()
