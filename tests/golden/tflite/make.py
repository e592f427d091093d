"""Writes the files beside it with TensorFlow's converter, and `expected`: what varve must find in them.

usage: make.py [FOLDER]     (tensorflow 2.21, ai-edge-litert 2.3)

Files named edit-* are a converter's file changed through the schema's own Python classes, for what the
converter does not write. Names, types, shapes and values are those of LiteRT's interpreter, which loads
every file; the places of the bytes are those of the FlatBuffers runtime.

expected has a line for each tensor: file, name, type, shape, strides or -, offset, bytes. Fields are parted by tabs.
`graphs` has what the interpreter and the schema's classes see of some files' graphs, in the lines that
tests/lib/graphs.h describes.
"""
import os
import sys

os.environ.update(TF_CPP_MIN_LOG_LEVEL='3', CUDA_VISIBLE_DEVICES='')
import flatbuffers
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

here = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
table = []
OURS = {0: 'f32', 1: 'f16', 2: 'i32', 3: 'u8', 4: 'i64', 6: 'bool', 7: 'i16', 8: 'c64', 9: 'i8', 10: 'f64', 11: 'c128',
        12: 'u64', 15: 'u32', 16: 'u16', 18: 'bf16'}
NO_NUMBERS = (schema.TensorType.STRING, schema.TensorType.RESOURCE, schema.TensorType.VARIANT)


def place(buffer):
    """Offset and length of a buffer's bytes in the file."""
    if buffer.DataLength():
        return buffer._tab.Vector(buffer._tab.Offset(4)), buffer.DataLength()
    return (buffer.Offset(), buffer.Size()) if buffer.Offset() > 1 else (0, 0)


def put(file, data, flat=()):
    """`flat`: names of tensors that are told as bytes."""
    with open(os.path.join(here, file), 'wb') as f:
        f.write(data)
    model, rows = schema.Model.GetRootAs(data, 0), []
    interpreter = Interpreter(model_content=data)
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)
        details = {d['index']: d for d in interpreter.get_tensor_details(g)}
        for i in range(graph.TensorsLength()):
            t = graph.Tensors(i)
            off, n = place(model.Buffers(t.Buffer()))
            if not n or t.Type() in NO_NUMBERS:
                continue
            name = (t.Name() or b'').decode()
            if t.Type() in OURS:
                assert details[i]['name'] == name
                assert list(details[i]['shape']) == ([] if t.ShapeIsNone() else t.ShapeAsNumpy().tolist())
                if name not in flat:
                    value = interpreter.get_tensor(i, g)
                    assert value.tobytes() == data[off:off + n], name
            shape = [n] if name in flat else [t.Shape(k) for k in range(t.ShapeLength())]
            rows.append((off, len(rows), f'subgraph{g}/' * (g > 0) + (name or f'tensor{i}'),
                         'u8' if name in flat else OURS[t.Type()], shape, n))
    for off, _, name, dtype, shape, n in sorted(rows):
        table.append((file, name, dtype, '[' + ','.join(map(str, shape)) + ']', '-', str(off), str(n)))


def convert(function, *inputs, change=None):
    concrete = function.get_concrete_function(*inputs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], function)
    if change:
        change(converter)
    return converter.convert()


def values(shape, seed):
    return np.random.default_rng(seed).standard_normal(shape).astype('f4')


def network(seed):
    w1, b1, w2, b2 = values((8, 6), seed), values(6, seed + 1), values((6, 3), seed + 2), values(3, seed + 3)

    @tf.function
    def run(x):
        return tf.nn.softmax(tf.matmul(tf.nn.relu(tf.matmul(x, w1) + b1), w2) + b2)
    return convert(run, tf.TensorSpec([1, 8])), run


def quantised(converter):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([values((1, 8), i)] for i in range(8))
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]


def half(converter):
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.target_spec.supported_types = [tf.float16]


def behind(converter):
    converter._experimental_use_buffer_offset = True


def types():
    @tf.function
    def run(x):
        names = ['float16', 'float64', 'int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'bool',
                 'complex64', 'complex128', 'bfloat16']
        out = {n: tf.cast(tf.constant([[3 * i, 1], [0, 2], [7, 5]]), n) for i, n in enumerate(names)}
        out.update(x=x + 1, text=tf.constant(['no', 'numbers']), scalar=tf.constant(2.5))
        return out
    return convert(run, tf.TensorSpec([1]))


def loop():
    @tf.function
    def run(x):
        step = tf.constant([1.5, 2.5, 3.5])
        return tf.while_loop(lambda i, v: i < 7, lambda i, v: (i + 1, v * step), [tf.constant(0), x])[1]
    return convert(run, tf.TensorSpec([3]))


def edited(data, change):
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    change(model)
    b = flatbuffers.Builder(1024)
    b.Finish(model.Pack(b), b'TFL3')
    return bytes(b.Output())


def add(model, name, type, shape, data=None, buffer=None):
    if data is not None:
        b = schema.BufferT()
        b.data = np.frombuffer(data, 'u1')
        buffer = len(model.buffers)
        model.buffers.append(b)
    t = schema.TensorT()
    t.name, t.type, t.shape, t.buffer = name, type, shape, buffer
    model.subgraphs[0].tensors.append(t)


def oddities(model):
    kinds = schema.TensorType
    add(model, 'int4', kinds.INT4, [3, 3], b'12345')
    add(model, 'first', kinds.FLOAT32, [2, 2], bytes(range(16)))
    add(model, 'tied', kinds.FLOAT32, [4], buffer=len(model.buffers) - 1)
    add(model, 'as float', kinds.FLOAT32, [2], b'mixed up')
    add(model, 'as int', kinds.INT32, [2], buffer=len(model.buffers) - 1)
    add(model, 'text', kinds.STRING, [1], b'\1\0\0\0\x0c\0\0\0\x0d\0\0\0x')


def strip(model):
    for t in model.subgraphs[0].tensors:
        t.name = None


def image():
    """A batch of any size; activations fused into convolutions, and one of its own."""
    a, b = values((3, 3, 1, 2), 1), values((1, 1, 2, 3), 2)

    @tf.function
    def run(image):
        x = tf.nn.relu6(tf.nn.conv2d(image, a, 2, 'SAME'))
        x = tf.nn.tanh(tf.nn.bias_add(tf.nn.conv2d(x, b, 1, 'SAME'), values(3, 3)))
        return tf.nn.softmax(tf.reduce_mean(x, [1, 2]))
    return convert(run, tf.TensorSpec([None, 8, 8, 1]))


def custom(model):
    """The first operator by a name that no runtime knows."""
    code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b'Maker'


def flex(model):
    """Two operators of TensorFlow's own, of which one reads files."""
    custom(model)
    code = model.operatorCodes[model.subgraphs[0].operators[0].opcodeIndex]
    code.customCode = b'FlexReadFile'
    code = model.operatorCodes[model.subgraphs[0].operators[-1].opcodeIndex]
    code.deprecatedBuiltinCode = code.builtinCode = schema.BuiltinOperator.CUSTOM
    code.customCode = b'FlexErf'


ACTIVATIONS = {v: k for k, v in vars(schema.ActivationFunctionType).items() if isinstance(v, int) and v}
OWN = ('SOFTMAX', 'TANH', 'RELU', 'LOGISTIC')


def fused(op):
    options = next((c for k, c in vars(schema).items() if k == {
        v: k for k, v in vars(schema.BuiltinOptions).items() if isinstance(v, int)}[op.BuiltinOptionsType()]), None)
    if not options or not hasattr(options, 'FusedActivationFunction'):
        return None
    o = options()
    o.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
    return ACTIVATIONS.get(o.FusedActivationFunction())


def value_line(graph, i, details):
    t = graph.Tensors(i)
    shape = details[i]['shape_signature'] if details else t.ShapeAsNumpy() if t.ShapeLength() else []
    dims = ','.join('?' if d < 0 else str(d) for d in shape)
    return (t.Name() or b'').decode() or f'tensor{i}', OURS[t.Type()], f'[{dims}]'


def graph_lines(file, runs=True):
    with open(os.path.join(here, file), 'rb') as f:
        data = f.read()
    model, details, ops = schema.Model.GetRootAs(data, 0), None, None
    first = model.Subgraphs(0)
    if runs:
        interpreter = Interpreter(model_content=data)
        details, ops = {d['index']: d for d in interpreter.get_tensor_details()}, interpreter._get_ops_details()
        assert [d['index'] for d in interpreter.get_input_details()] == first.InputsAsNumpy().tolist()
        assert [d['index'] for d in interpreter.get_output_details()] == first.OutputsAsNumpy().tolist()
    yield from (('input', *value_line(first, i, details)) for i in first.InputsAsNumpy())
    yield from (('output', *value_line(first, i, details)) for i in first.OutputsAsNumpy())
    names = {v: k for k, v in vars(schema.BuiltinOperator).items() if isinstance(v, int)}
    for g in range(model.SubgraphsLength()):
        graph = model.Subgraphs(g)

        def tensors(indices):
            return ','.join('' if i < 0 else (graph.Tensors(i).Name() or b'').decode() or f'tensor{i}' for i in indices)
        for k in range(graph.OperatorsLength()):
            op = graph.Operators(k)
            code = model.OperatorCodes(op.OpcodeIndex())
            name = names[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
            name = code.CustomCode().decode() if name == 'CUSTOM' else name
            if ops and not g:
                assert ops[k]['op_name'] == name and ops[k]['inputs'].tolist() == op.InputsAsNumpy().tolist()
            yield ('node', str(min(g, 1)), name, fused(op) or (name if name in OWN else '-'), '',
                   tensors(op.InputsAsNumpy()), tensors(op.OutputsAsNumpy()))
    yield 'fact', 'producer', model.Description().decode()
    yield 'fact', 'schema', str(model.Version())


model, run = network(1)
put('model.tflite', model)
put('model-changed.tflite', network(9)[0])
put('model-int8.tflite', convert(run, tf.TensorSpec([1, 8]), change=quantised))
put('model-f16.tflite', convert(run, tf.TensorSpec([1, 8]), change=half))
put('model-behind.tflite', convert(run, tf.TensorSpec([1, 8]), change=behind))
put('types.tflite', types())
put('loop.tflite', loop())
put('edit-odd.tflite', edited(model, oddities), flat=('int4', 'as float', 'as int'))
put('edit-stripped.tflite', edited(model, strip))
put('image.tflite', image())
with open(os.path.join(here, 'edit-custom.tflite'), 'wb') as f:
    f.write(edited(model, custom))
with open(os.path.join(here, 'edit-flex.tflite'), 'wb') as f:
    f.write(edited(model, flex))
with open(os.path.join(here, 'graphs'), 'w', encoding='utf-8', newline='\n') as out:
    for file in ('model.tflite', 'model-int8.tflite', 'image.tflite', 'loop.tflite', 'edit-stripped.tflite',
                 'edit-custom.tflite'):
        for line in graph_lines(file, file != 'edit-custom.tflite'):
            out.write('\t'.join((file, *line)) + '\n')
with open(os.path.join(here, 'expected'), 'w', encoding='utf-8', newline='\n') as out:
    for row in table:
        out.write('\t'.join(row) + '\n')
