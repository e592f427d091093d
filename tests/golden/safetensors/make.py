"""Writes the files beside it with the reference library, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (safetensors 0.8)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs.
"""
import ctypes
import json
import os
import struct
import sys

from safetensors import TensorSpec, serialize

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
# The library's name of each type, varve's, and the bits of an element.
TYPES = [('bool', 'BOOL', 'bool', 8), ('uint8', 'U8', 'u8', 8), ('int8', 'I8', 'i8', 8),
         ('uint16', 'U16', 'u16', 16), ('int16', 'I16', 'i16', 16), ('uint32', 'U32', 'u32', 32),
         ('int32', 'I32', 'i32', 32), ('uint64', 'U64', 'u64', 64), ('int64', 'I64', 'i64', 64),
         ('float16', 'F16', 'f16', 16), ('bfloat16', 'BF16', 'bf16', 16), ('float32', 'F32', 'f32', 32),
         ('float64', 'F64', 'f64', 64), ('float8_e4m3fn', 'F8_E4M3', 'f8_e4m3', 8),
         ('float8_e5m2', 'F8_E5M2', 'f8_e5m2', 8), ('float8_e4m3fnuz', 'F8_E4M3FNUZ', 'f8_e4m3fnuz', 8),
         ('float8_e5m2fnuz', 'F8_E5M2FNUZ', 'f8_e5m2fnuz', 8), ('float8_e8m0fnu', 'F8_E8M0', 'f8_e8m0', 8),
         ('complex64', 'C64', 'c64', 64), ('float4_e2m1fn_x2', 'F4', 'f4', 4)]
OURS = {theirs: ours for _, theirs, ours, _ in TYPES}


def put(file, tensors, metadata=None):
    data = serialize(tensors, metadata)
    with open(os.path.join(here, file), 'wb') as f:
        f.write(data)
    n = struct.unpack('<Q', data[:8])[0]
    for name, t in json.loads(data[8:8 + n]).items():
        if name == '__metadata__':
            continue
        begin, end = t['data_offsets']
        table.append((file, name, OURS[t['dtype']], '[' + ','.join(map(str, t['shape'])) + ']', '-',
                      str(8 + n + begin), str(end - begin)))
    if any('\n' in name for name in tensors):
        table.append((file, '!', 'odd-name'))


alive = []


def tensor(dtype, bits, shape, seed):
    n = bits
    for d in shape:
        n *= d
    data = bytes((seed * 31 + i * 7) & 255 for i in range(n // 8))
    alive.append(ctypes.create_string_buffer(data, len(data) + 1))
    if dtype.endswith('_x2'):  # takes the shape in bytes
        shape = shape[:-1] + [shape[-1] // 2]
    return TensorSpec(dtype=dtype, shape=shape, data_ptr=ctypes.addressof(alive[-1]), data_len=len(data))


put('types.safetensors', {ours: tensor(dtype, bits, [3, 2], i) for i, (dtype, _, ours, bits) in enumerate(TYPES)})
model = {'layer.0.weight': tensor('float32', 32, [4, 3], 1), 'layer.0.bias': tensor('float16', 16, [3], 2),
         'größe \n"\\': tensor('int64', 64, [], 3), 'empty': tensor('float32', 32, [0, 5], 4)}
put('model.safetensors', model, {'format': 'pt'})
put('model-changed.safetensors', dict(model, **{'layer.0.bias': tensor('float16', 16, [3], 9)}), {'format': 'pt'})
put('model-reshaped.safetensors', dict(model, **{'layer.0.weight': tensor('float32', 32, [2, 6], 1)}), {'format': 'pt'})
put('model-more.safetensors', dict(model, extra=tensor('bfloat16', 16, [3, 3], 5)), {'format': 'pt'})
put('none.safetensors', {}, {'only': 'metadata'})

with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(f.replace('\n', '\\n') for f in row) + '\n')
