"""Writes the files beside it with the package gguf, and what its reader says of them: `expected`, `sums`.

usage: make.py [FOLDER]     (gguf 0.19, numpy)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. sums has file, name and the SHA-256 of the bytes. Fields are parted by tabs.
"""
import hashlib
import os
import struct
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q, GGUFValueType as V

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table, sums = [], []
PLAIN = {Q.F32: 'f32', Q.F16: 'f16', Q.BF16: 'bf16', Q.F64: 'f64', Q.I8: 'i8', Q.I16: 'i16', Q.I32: 'i32', Q.I64: 'i64'}

# As many elements and bytes in a block as another type has.
TWINS = {Q.IQ4_NL, Q.IQ3_S, Q.TQ2_0}


def path(file):
    return os.path.join(here, file)


def report(file):
    """What the package's own reader finds."""
    rows = []
    for t in gguf.GGUFReader(path(file)).tensors:
        shape = list(reversed(t.shape.tolist()))
        if t.tensor_type not in PLAIN:
            block, size = gguf.GGML_QUANT_SIZES[t.tensor_type]
            shape = shape[:-1] + [shape[-1] // block, size] + [1] * (t.tensor_type in TWINS)
        rows.append((t.data_offset, t.n_bytes > 0, t.name, PLAIN.get(t.tensor_type, 'u8'), shape, t.n_bytes))
        sums.append((file, t.name, hashlib.sha256(t.data.tobytes()).hexdigest()))
    for off, _, name, dtype, shape, n in sorted(rows):
        table.append((file, name, dtype, '[' + ','.join(map(str, shape)) + ']', '-', str(off), str(n)))
    if any('\n' in row[2] for row in rows):
        table.append((file, '!', 'odd-name'))


def put(file, tensors, more=None, endian=gguf.GGUFEndian.LITTLE, finding=None):
    """tensors: name to array, or to (quantised bytes, type)."""
    w = gguf.GGUFWriter(path(file), 'llama', endianess=endian)
    w.add_name('a model')
    w.add_token_list(['<s>', 'größe', ''])
    if more:
        more(w)
    for name, t in tensors.items():
        data, raw = t if isinstance(t, tuple) else (t, None)
        w.add_tensor(name, data, raw_dtype=raw)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    if finding:
        table.append((file, '!', finding))
    else:
        report(file)


def values(w):
    """A value of each type, arrays of each, arrays in arrays."""
    for i, t in enumerate(V):
        if t not in (V.ARRAY, V.STRING):
            w.add_key_value(f'a.{t.name}', i % 2 if t == V.BOOL else i, t)
            w.add_key_value(f'b.{t.name}', [1, 0, 1], V.ARRAY, sub_type=t)
    w.add_key_value('nested', [[1, 2], [3], [4, 5, 6]], V.ARRAY)
    w.add_key_value('texts', [['a', 'b'], ['']], V.ARRAY)
    w.add_key_value('deep', [[[['x']]]], V.ARRAY)


def floats(*shape, seed=1):
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def quant(t, seed, shape=(2, 256)):
    """Quantised by the package where it can, else some bytes of that type."""
    try:
        return gguf.quants.quantize(floats(*shape, seed=seed), t), t
    except NotImplementedError:
        size = gguf.quant_shape_to_byte_shape(shape, t)
        return np.random.default_rng(seed).integers(0, 256, size, dtype=np.uint8), t


ints = {f'i{8 * n}': (np.arange(6) - 3).astype(f'<i{n}').reshape(3, 2) for n in (1, 2, 4, 8)}
plain_types = {'f32': floats(3, 2), 'f16': floats(3, 2).astype(np.float16), 'f64': floats(3, 2).astype(np.float64),
               'bf16': quant(Q.BF16, 3, (3, 2)), **ints, 'scalar': np.array(1.5, dtype=np.float32),
               'cube': floats(2, 3, 4, 5), 'größe \n"\\': floats(1)}
put('types.gguf', plain_types, values)
put('quants.gguf', {t.name: quant(t, int(t)) for t in Q if t not in PLAIN})

model = {'token_embd.weight': quant(Q.Q8_0, 1, (4, 64)), 'empty': floats(0, 5), 'blk.0.weight': quant(Q.Q4_0, 2, (3, 32)),
         'blk.0.norm': floats(7), 'output.weight': floats(3, 5, seed=4).astype(np.float16)}
put('model.gguf', model)
put('model-changed.gguf', dict(model, **{'blk.0.weight': quant(Q.Q4_0, 9, (3, 32)), 'blk.0.norm': floats(7, seed=9)}))
put('model-reshaped.gguf', dict(model, **{'blk.0.norm': floats(2, 9)}))
put('model-more.gguf', {**model, 'extra': quant(Q.BF16, 5, (3, 3)), 'last': np.arange(3, dtype=np.int64)})
put('model-fewer.gguf', {k: v for k, v in model.items() if k != 'token_embd.weight'})
# The same bytes a row, of another type.
put('model-iq4.gguf', dict(model, **{'blk.0.weight': (model['blk.0.weight'][0], Q.IQ4_NL)}))
plain = {k: v for k, v in model.items() if not isinstance(v, tuple)}
put('plain.gguf', plain)
put('plain-more.gguf', dict(plain, extra=floats(2, 2, seed=6)))
put('none.gguf', {})
put('aligned.gguf', plain, lambda w: w.add_custom_alignment(128))
put('aligned-more.gguf', dict(plain, extra=floats(2, 2, seed=6)), lambda w: w.add_custom_alignment(128))
gguf.gguf_writer.GGUF_VERSION = 2
put('v2.gguf', plain)
put('v2-more.gguf', dict(plain, extra=floats(2, 2, seed=6)))
gguf.gguf_writer.GGUF_VERSION = 3

# Files that are kept as bytes.
put('big-endian.gguf', plain, endian=gguf.GGUFEndian.BIG, finding='big-endian')
put('alignment-3.gguf', plain, lambda w: w.add_uint32('general.alignment', 3), finding='malformed')
with open(path('plain.gguf'), 'rb') as f:
    good = f.read()
BAD = {'version-1.gguf': good[:4] + struct.pack('<I', 1) + good[8:], 'truncated.gguf': good[:-32],
       'twice.gguf': good.replace(b'\5\0\0\0\0\0\0\0empty', b'\5\0\0\0\0\0\0\0xxxxx').replace(
           b'\x0d\0\0\0\0\0\0\0output.weight', b'\x0a\0\0\0\0\0\0\0blk.0.norm')}
for file, data in BAD.items():
    with open(path(file), 'wb') as f:
        f.write(data)
    try:
        gguf.GGUFReader(path(file))
    except (ValueError, KeyError, IndexError):
        table.append((file, '!', 'malformed'))
    else:
        raise SystemExit(f'{file} can be read')

for name, rows in (('expected', table), ('sums', sums)):
    with open(path(name), 'w', encoding='utf-8', newline='\n') as out:
        for row in rows:
            out.write('\t'.join(f.replace('\n', '\\n') for f in row) + '\n')
