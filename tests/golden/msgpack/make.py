"""Writes the files beside it with Flax, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (flax 0.12, jax 0.10, optax, msgpack 1.2)

Names, types, shapes and values are those that Flax restores; an array's place is where Flax's own encoding of
it stands. chunks.msgpack is written with a smaller limit for chunks than Flax's 2^30 bytes. bad-* are broken
copies, which Flax refuses.

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs.
"""
import os
import sys

os.environ['JAX_PLATFORMS'] = 'cpu'
import flax.linen as nn
import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import optax
from flax import serialization
from flax.training import train_state

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
OURS = {'float32': 'f32', 'float16': 'f16', 'bfloat16': 'bf16', 'float64': 'f64', 'bool': 'bool', 'complex64': 'c64',
        'complex128': 'c128', 'float8_e4m3fn': 'f8_e4m3', 'float8_e5m2': 'f8_e5m2', 'float8_e4m3fnuz': 'f8_e4m3fnuz',
        'float8_e5m2fnuz': 'f8_e5m2fnuz', 'float8_e8m0fnu': 'f8_e8m0'}
OURS.update({f'{kind}{bits}': f'{kind[0]}{bits}' for kind in ('int', 'uint') for bits in (8, 16, 32, 64)})


def leaves(tree, path=()):
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    if isinstance(tree, np.ndarray):
        yield '/'.join(path), tree
    for key, item in items:
        yield from leaves(item, path + (str(key),))


def write(file, data):
    with open(os.path.join(here, file), 'wb') as f:
        f.write(data)


def put(file, data, hidden=(), findings=()):
    """`hidden`: names of arrays that are not told."""
    write(file, data)
    rows = []
    for name, array in leaves(serialization.msgpack_restore(data)):
        if name in hidden:
            continue
        encoded = serialization._ndarray_to_bytes(array)
        assert data.count(encoded) == 1, name
        off = data.index(encoded) + len(encoded) - array.nbytes
        assert data[off:off + array.nbytes] == array.tobytes()
        rows.append((off, name, OURS[array.dtype.name], '[' + ','.join(map(str, array.shape)) + ']', array.nbytes))
    table.extend((file, name, dtype, shape, '-', str(off), str(n)) for off, name, dtype, shape, n in sorted(rows))
    table.extend((file, '!', code) for code in findings)


def values(dtype, shape, seed):
    return np.asarray(np.random.default_rng(seed).standard_normal(shape) * 8).astype(dtype)


def bad(file, data):
    try:
        serialization.msgpack_restore(data)
    except Exception:
        write(file, data)
        table.append((file, '!', 'malformed'))
    else:
        raise AssertionError(file)


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Dense(5)(x)))


def trained():
    net = Net()
    params = net.init(jax.random.key(1), jnp.ones((1, 4)))['params']
    state = train_state.TrainState.create(apply_fn=net.apply, params=params, tx=optax.adam(1e-3))
    grad = jax.grad(lambda p: jnp.square(net.apply({'params': p}, jnp.arange(8.).reshape(2, 4) - 3)).mean())
    for _ in range(2):
        state = state.apply_gradients(grads=grad(state.params))
    return state


def model(kernel=values('f4', (4, 3), 1), bias=values('f2', 3, 2)):
    return {'params': {'dense': {'kernel': kernel, 'bias': bias}, 'größe\n"': values('i8', (), 3)},
            'empty': np.zeros((0, 5), 'f4'), 'step': 7, 'note': 'text'}


put('state.msgpack', serialization.to_bytes(trained()))
put('types.msgpack', serialization.msgpack_serialize(
    {n: values(np.dtype(n) if n.isalnum() and n[0] != 'b' or n == 'bool' else getattr(ml_dtypes, n), (3, 2), i)
     for i, n in enumerate(OURS)}))
put('model.msgpack', serialization.msgpack_serialize(model()), findings=['odd-name'])
put('model-changed.msgpack', serialization.msgpack_serialize(model(bias=values('f2', 3, 9))), findings=['odd-name'])
put('model-reshaped.msgpack', serialization.msgpack_serialize(
    model(kernel=values('f8', (200, 3), 4), bias=values('u1', (2, 2), 5))), findings=['odd-name'])
put('mixed.msgpack', serialization.msgpack_serialize(
    {'list': [values('f4', 2, 1), {'a': values('f4', 3, 2)}, 'x', None], 'numbers': {5: values('i4', 2, 3)},
     'scalar': np.float32(1.5), 'complex': 1 + 2j, 'floats': [0.5, -1, 2**40, True], 'bytes': b'123', 'int4': values(ml_dtypes.int4, 6, 4),
     'none': {}}), hidden=['int4'], findings=['unknown-dtype'])
serialization.MAX_CHUNK_SIZE = 64
put('chunks.msgpack', serialization.msgpack_serialize({'large': values('f4', (10, 5), 1), 'small': values('f4', 4, 2)}),
    hidden=['large'])
good = serialization.msgpack_serialize({'w': values('f4', 4, 1), 'v': values('f4', 2, 2)})
bad('bad-cut.msgpack', good[:-1])
bad('bad-more.msgpack', good + b'\0')
bad('bad-shape.msgpack', good.replace(b'\x91\x02\xa7float32', b'\x91\x03\xa7float32'))
with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(f.replace('\n', '\\n') for f in row) + '\n')
