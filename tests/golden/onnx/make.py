"""Writes the files beside it with the package onnx, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (onnx 1.23, numpy, ml_dtypes)

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes; and a line
`file ! code` for each finding. Fields are parted by tabs. An offset is where the bytes that onnx reads
as the tensor's stand in the file: each tensor's are of their own. `graphs` has what onnx sees of some
files' graphs, in the lines that tests/lib/graphs.h describes.
"""
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto as T, helper, numpy_helper

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
OURS = {T.FLOAT: 'f32', T.UINT8: 'u8', T.INT8: 'i8', T.UINT16: 'u16', T.INT16: 'i16', T.INT32: 'i32', T.INT64: 'i64',
        T.BOOL: 'bool', T.FLOAT16: 'f16', T.DOUBLE: 'f64', T.UINT32: 'u32', T.UINT64: 'u64', T.COMPLEX64: 'c64',
        T.COMPLEX128: 'c128', T.BFLOAT16: 'bf16', T.FLOAT8E4M3FN: 'f8_e4m3', T.FLOAT8E4M3FNUZ: 'f8_e4m3fnuz',
        T.FLOAT8E5M2: 'f8_e5m2', T.FLOAT8E5M2FNUZ: 'f8_e5m2fnuz', T.FLOAT4E2M1: 'f4', T.FLOAT8E8M0: 'f8_e8m0',
        T.FLOAT6E2M3: 'f6_e2m3', T.FLOAT6E3M2: 'f6_e3m2'}
NARROW = {T.FLOAT4E2M1: 4, T.FLOAT6E2M3: 6, T.FLOAT6E3M2: 6}
PACKED = {T.UINT4: 4, T.INT4: 4, T.UINT2: 2, T.INT2: 2}  # told as their bytes
seed = 0


def some(n):
    """n bytes that no other tensor has, each small float of which is a number."""
    global seed
    seed += 1
    return bytes((seed * 37 + i * 11 + (i // 4) * seed) % 120 for i in range(n))


def raw(name, dtype, shape, data=None):
    bits = PACKED.get(dtype) or NARROW.get(dtype)
    bits = bits or helper.tensor_dtype_to_np_dtype(dtype).itemsize * 8
    n = int(np.prod(shape, dtype=int)) * bits
    data = some((n + 7) // 8) if data is None else data
    if dtype == T.BOOL:
        data = bytes(b & 1 for b in data)
    return helper.make_tensor(name, dtype, shape, data, raw=True)


def floats(name, dtype, shape):
    n = int(np.prod(shape, dtype=int))
    seen = np.frombuffer(some(8 * n), '<i8') % 1000 + 0.5 + len(name)
    return helper.make_tensor(name, dtype, shape, seen.tolist())


def told(t):
    """The tensor's bytes if they are one run in the file, by what onnx has in its fields, and the field's key."""
    if t.HasField('raw_data'):
        return t.raw_data, 9
    if len(t.float_data):
        return np.array(t.float_data, '<f4').tobytes(), 4
    return np.array(t.double_data, '<f8').tobytes(), 10


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def put(file, model, tensors=(), findings=()):
    """tensors: (name in varve, TensorProto)."""
    data = model.SerializeToString()
    with open(os.path.join(here, file), 'wb') as f:
        f.write(data)
    model = onnx.load_model_from_string(data)
    rows = []
    for name, t in tensors:
        found, field = told(t)
        whole = bytes([field << 3 | 2]) + varint(len(found)) + found
        assert data.count(whole) == 1, (file, name)
        at = data.index(whole) + len(whole) - len(found)
        shape, dtype = list(t.dims), t.data_type
        array = numpy_helper.to_array(t)
        assert list(array.shape) == shape
        if dtype in PACKED or array.size * NARROW.get(dtype, 8) % 8:
            dtype, shape = T.UINT8, [len(found)]
        elif dtype not in NARROW:
            assert array.tobytes() == found, (file, name)
        rows.append((file, name, OURS[dtype], '[' + ','.join(map(str, shape)) + ']', '-', str(at), str(len(found))))
    table.extend(sorted(rows, key=lambda row: int(row[5])))
    table.extend((file, '!', code) for code in findings)


def value(name, dtype=T.FLOAT, shape=None):
    return helper.make_tensor_value_info(name, dtype, shape or ['n'])


def model_of(nodes, initializers, **kw):
    graph = helper.make_graph(nodes, 'g', [value('x')], [value('y')], initializers,
                              sparse_initializer=kw.pop('sparse', None))
    return helper.make_model(graph, producer_name='make.py', opset_imports=[helper.make_opsetid('', 21)], **kw)


def named(tensors):
    return [(t.name, t) for t in tensors]


ADD = helper.make_node('Add', ['x', 'w'], ['y'], name='add')

# Every type, the narrow ones with whole and with broken last bytes.
every = [raw(f'{T.DataType.Name(d).lower()}', d, [3, 4]) for d in sorted(OURS) + sorted(PACKED)]
every += [raw(f'{T.DataType.Name(d).lower()}.odd', d, [3, 3]) for d in (T.INT4, T.INT2, T.FLOAT4E2M1, T.FLOAT6E3M2)]
put('types.onnx', model_of([ADD], every), named(every))

# Fields for values of one kind: two of them are runs.
fields = [floats('float', T.FLOAT, [2, 3]), floats('double', T.DOUBLE, [5]),
          helper.make_tensor('complex', T.COMPLEX64, [2], [1.5 + 2j, 3 - 4.25j])]
other = [helper.make_tensor('int32', T.INT32, [3], [1, -2, 300]), helper.make_tensor('int64', T.INT64, [2], [-1, 2]),
         helper.make_tensor('uint64', T.UINT64, [1], [2**63]), helper.make_tensor('half', T.FLOAT16, [2], [1.0, 2.0]),
         helper.make_tensor('string', T.STRING, [2], [b'a', b'b'])]
put('fields.onnx', model_of([ADD], fields[:2] + other + fields[2:]), named(fields))

# Constants, subgraphs, functions, training, sparse tensors.
inner = raw('inner', T.FLOAT, [2])
const = raw('', T.INT64, [2])
deep = raw('deep', T.FLOAT16, [3])
then = helper.make_graph([helper.make_node('Constant', [], ['c'], value=const),
                          helper.make_node('If', ['b'], ['z'], name='if2',
                                           then_branch=helper.make_graph([], 'tt', [], [value('deep')], [deep]),
                                           else_branch=helper.make_graph([], 'te', [], [value('w')]))],
                         't', [], [value('z')], [inner])
other = raw('inner', T.FLOAT, [2, 1])
els = helper.make_graph([], 'e', [], [value('inner')], [other])
fill, many = raw('ignored', T.FLOAT, [1]), [raw(f'n{i}', T.INT8, [5 + i]) for i in range(2)]
unnamed = raw('', T.FLOAT, [1, 1])
nodes = [helper.make_node('If', ['b'], ['y'], name='if', then_branch=then, else_branch=els),
         helper.make_node('ConstantOfShape', ['s'], ['f'], name='fill', value=fill),
         helper.make_node('ConstantOfShape', ['s'], ['f2'], value=unnamed),
         helper.make_node('Odd', ['x'], ['o'], name='odd', domain='test', tables=many)]
w = raw('w', T.FLOAT, [4])
sparse = helper.make_sparse_tensor(helper.make_tensor('s', T.FLOAT, [2], some(8), raw=True),
                                   helper.make_tensor('i', T.INT64, [2], np.array([1, 3]).tobytes(), raw=True), [5])
in_function = raw('', T.FLOAT, [7])
function = helper.make_function('test', 'F', [], ['fo'], [helper.make_node('Constant', [], ['fo'], value=in_function)],
                                [helper.make_opsetid('', 21)])
start = raw('start', T.FLOAT, [6])
nested = model_of(nodes, [w], sparse=[sparse], functions=[function])
training = nested.training_info.add()
training.initialization.initializer.append(start)
put('nested.onnx', nested,
    [('c', const), ('deep', deep), ('inner~2', inner), ('inner', other), ('fill.value', fill), ('f2.value', unnamed),
     ('odd.tables.0', many[0]), ('odd.tables.1', many[1]), ('w', w), ('start', start), ('fo', in_function)])

# One file and what becomes of it.
a, b, c = raw('layer.0.weight', T.FLOAT, [4, 3]), raw('layer.0.bias', T.FLOAT16, [3]), raw('größe', T.INT64, [])
e = raw('empty', T.FLOAT, [0, 5])
for name, tensors in {'': [a, b, c], '-changed': [a, raw(b.name, T.FLOAT16, [3]), c],
                      '-reshaped': [raw(a.name, T.FLOAT, [2, 3, 20]), b, raw(c.name, T.BFLOAT16, [300])],
                      '-more': [a, b, c, raw('extra', T.BFLOAT16, [3, 3]), raw('scale', T.DOUBLE, [])],
                      '-fewer': [a, c]}.items():
    put(f'model{name}.onnx', model_of([ADD], tensors), named(tensors))
put('empty.onnx', model_of([ADD], [e]), named([e]))


def external(name, **entries):
    t = T(name=name, data_type=T.FLOAT, dims=[4], data_location=T.EXTERNAL)
    for key, v in entries.items():
        t.external_data.add(key=key, value=v)
    return t


good = [external('plain', location='weights.bin'), external('far', location='data/w..bin', offset='4096', length='16'),
        external('sum', location='w.bin', checksum='x')]
put('external.onnx', model_of([ADD], good + [w]), named([w]))
bad = [external('up', location='junk/../../x'), external('root', location='/etc/passwd'),
       external('drive', location='C:x'), external('back', location='a\\b'), external('nul', location='a\0b'),
       external('empty', location=''), external('none', offset='0'),
       external('overflow', location='x', offset='18446744073709551615', length='2'),
       external('large', location='x', offset='9223372036854775807', length='1'),
       external('negative', location='x', offset='-1'), external('end', location='a/..')]
put('external-bad.onnx', model_of([ADD], bad + [w]), named([w]), ['external-path'] * len(bad))

unknown = raw('new', T.FLOAT, [4])
unknown.data_type = 99
nine = raw('nine', T.UINT8, [1, 1, 1, 1, 2, 1, 1, 1, 1])
put('unknown.onnx', model_of([ADD], [unknown, nine, w]), named([w]), ['unknown-dtype', 'limit'])

# What PyTorch's exporter writes; the file stays where there is none.
exported = os.path.join(here, 'torch.onnx')
try:
    import torch
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))
    torch.onnx.export(net.eval(), (torch.zeros(1, 4),), exported, external_data=False)
    torch_model = onnx.load(exported)
    for node in torch_model.graph.node:
        del node.metadata_props[:]  # names of folders, in traces
    onnx.save(torch_model, exported)
except ImportError as e:
    print(f'torch.onnx is the old one: {e}')
if os.path.exists(exported):
    torch_model = onnx.load(exported)
    put('torch.onnx', torch_model, named(torch_model.graph.initializer))

short = raw('w', T.FLOAT, [4])
short.dims[0] = 5
put('bad-length.onnx', model_of([ADD], [short]), (), ['malformed'])
with open(os.path.join(here, 'model.onnx'), 'rb') as f:
    whole = f.read()
with open(os.path.join(here, 'bad-short.onnx'), 'wb') as f:
    f.write(whole[:len(whole) - 30])
table.append(('bad-short.onnx', '!', 'malformed'))
for file in sorted({row[0] for row in table} - {'external-bad.onnx', 'unknown.onnx', 'bad-length.onnx', 'bad-short.onnx'}):
    onnx.load(os.path.join(here, file), load_external_data=False)

# What models compute: symbolic shapes, operators of other domains, an activation fused into one; an old model's inputs.
many = [helper.make_node('Conv', ['image', 'w', ''], ['c'], name='conv'), helper.make_node('Relu', ['c'], ['r']),
        helper.make_node('FusedConv', ['r', 'w'], ['f'], name='fused', domain='com.microsoft', activation='Relu'),
        helper.make_node('Gelu', ['f'], ['e'], domain='com.microsoft'),
        helper.make_node('If', ['flag'], ['y'], name='if', then_branch=helper.make_graph(
            [helper.make_node('Tanh', ['e'], ['t'], name='tanh')], 't', [], [value('t')]),
            else_branch=helper.make_graph([helper.make_node('Softmax', ['e'], ['s'])], 'e', [], [value('s')])),
        helper.make_node('SequenceConstruct', ['y', 'y'], ['all'])]
w = raw('w', T.FLOAT, [2, 2, 1, 1])
graph = helper.make_graph(many, 'symbols', [value('image', shape=['batch', 2, 'height', None]), value('flag', T.BOOL, ()),
                                            helper.make_tensor_value_info('any', T.BFLOAT16, None)],
                          [value('y', shape=['batch', 2, 'height', 7]),
                           helper.make_tensor_sequence_value_info('all', T.FLOAT, None)], [w])
graph.input[1].type.tensor_type.shape.SetInParent()
put('symbols.onnx', helper.make_model(graph, producer_name='make.py', producer_version='1.2', ir_version=8, opset_imports=[
    helper.make_opsetid('', 17), helper.make_opsetid('com.microsoft', 1)]), named([w]))
w, b = raw('w', T.FLOAT, [2, 2]), raw('b', T.FLOAT, [2])
graph = helper.make_graph([helper.make_node('Gemm', ['x', 'w', 'b'], ['y'])], 'old',
                          [value('x', shape=[1, 2]), value('w', shape=[2, 2]), value('b', shape=[2])],
                          [value('y', shape=[1, 2])], [w, b])
put('old-inputs.onnx', helper.make_model(graph, ir_version=3, opset_imports=[helper.make_opsetid('', 8)]), named([w, b]))


def value_line(v):
    kind, dims = v.type.WhichOneof('value'), '-'
    dtype = {'sequence_type': 'sequence'}.get(kind) or OURS[v.type.tensor_type.elem_type]
    if kind == 'tensor_type' and v.type.tensor_type.HasField('shape'):
        dims = '[' + ','.join(str(d.dim_value) if d.HasField('dim_value') else d.dim_param or '?'
                              for d in v.type.tensor_type.shape.dim) + ']'
    return v.name, dtype, dims


def node_lines(nodes, depth=0):
    for n in nodes:
        op = '.'.join(filter(None, [n.domain, n.op_type]))
        fused = [a.s.decode() for a in n.attribute if a.name == 'activation']
        is_one = n.op_type in ('Relu', 'Gelu', 'Tanh', 'Softmax')
        yield str(depth), op, fused[0] if fused else op if is_one else '-', n.name, ','.join(n.input), ','.join(n.output)
        for a in n.attribute:
            for g in [a.g] * a.HasField('g') + list(a.graphs):
                yield from node_lines(g.node, depth + 1)


with open(os.path.join(here, 'graphs'), 'w', encoding='utf-8', newline='\n') as out:
    for file in ('symbols.onnx', 'old-inputs.onnx', 'nested.onnx', 'torch.onnx', 'empty.onnx'):
        m = onnx.load(os.path.join(here, file), load_external_data=False)
        inside = {t.name for t in m.graph.initializer} if m.ir_version < 4 else ()
        lines = [('input', *value_line(v)) for v in m.graph.input if v.name not in inside]
        lines += [('output', *value_line(v)) for v in m.graph.output]
        lines += [('node', *n) for n in node_lines(m.graph.node)]
        for f in m.functions:
            lines += [('node', '0', 'function', '-', '.'.join(filter(None, [f.domain, f.name])), ','.join(f.input), ','.join(f.output))]
            lines += [('node', *n) for n in node_lines(f.node, 1)]
        facts = {'graph': m.graph.name, 'producer': ' '.join(filter(None, [m.producer_name, m.producer_version])),
                 'opset': ', '.join(f'{o.domain} {o.version}'.strip() for o in m.opset_import), 'ir': m.ir_version,
                 'functions': len(m.functions), 'training': len(m.training_info)}
        lines += [('fact', k, str(v)) for k, v in facts.items() if v]
        for line in lines:
            out.write('\t'.join((file, *line)) + '\n')

with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(row) + '\n')
