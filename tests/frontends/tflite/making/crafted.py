"""Models of one operator that TensorFlow's converter does not make any more, packed with TensorFlow's own schema."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from flatbuffers import flexbuffers
from tensorflow.lite.python import schema_py_generated as schema

_TYPES = {"float32": schema.TensorType.FLOAT32, "int32": schema.TensorType.INT32}
_RANDOM = np.random.default_rng(5)


def _w(*shape: int) -> Any:
    return (_RANDOM.standard_normal(shape) * 0.4).astype(np.float32)


def single(op: Any, inputs: Sequence[Any], outputs: Sequence[tuple[int, ...]], options: Any = None) -> bytes:
    """op: a builtin's number, or a custom one's name. inputs: a shape (fed), an array (constant), ("variable", shape),
    or None (left out). options: (class name, fields), or a custom operator's map."""
    model, graph, code, node = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT(), schema.OperatorT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers, graph.tensors, graph.operators = [schema.BufferT()], [], [node]
    graph.inputs, graph.outputs, node.inputs, node.outputs = [], [], [], []
    for each in inputs:
        node.inputs.append(-1 if each is None else _tensor(model, graph, each, fed=True))
    for shape in outputs:
        node.outputs.append(_tensor(model, graph, shape, fed=False))
    graph.outputs = list(node.outputs)
    custom = isinstance(op, str)
    code.builtinCode = schema.BuiltinOperator.CUSTOM if custom else op
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    code.version = 1
    if custom:
        code.customCode = op
        node.customOptions = list(flexbuffers.Dumps(options))
    elif options:
        name, fields = options
        node.builtinOptionsType = getattr(schema.BuiltinOptions, name)
        node.builtinOptions = getattr(schema, f"{name}T")()
        for key, value in fields.items():
            assert hasattr(node.builtinOptions, key), key
            setattr(node.builtinOptions, key, value)
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(model: Any, graph: Any, given: Any, *, fed: bool) -> int:
    tensor, index = schema.TensorT(), len(graph.tensors)
    graph.tensors.append(tensor)
    tensor.name, tensor.buffer, dtype = f"t{index}", 0, "float32"
    if isinstance(given, Sparse):
        stored, tensor.sparsity = sparse(given)
        tensor.buffer, tensor.shape = _buffer(model, stored), list(given.dense.shape)
    elif isinstance(given, np.ndarray):
        tensor.buffer, tensor.shape, dtype = _buffer(model, given), list(given.shape), given.dtype.name
    elif given and given[0] == "variable":
        tensor.shape, tensor.isVariable = list(given[1]), True
    else:
        tensor.shape = list(given)
        if fed:
            graph.inputs.append(index)
    tensor.type = _TYPES[dtype]
    return index if not isinstance(given, Sparse) or given.direct else _densified(model, graph, index)


def _buffer(model: Any, array: Any) -> int:
    buffer = schema.BufferT()
    buffer.data = list(array.tobytes())
    model.buffers.append(buffer)
    return len(model.buffers) - 1


def _densified(model: Any, graph: Any, index: int) -> int:
    """What a DENSIFY before the operator makes of a sparse tensor."""
    code, node = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = schema.BuiltinOperator.DENSIFY, 124, 1
    node.opcodeIndex, node.inputs = len(model.operatorCodes), [index]
    node.outputs = [_tensor(model, graph, graph.tensors[index].shape, fed=False)]
    model.operatorCodes.append(code)
    graph.operators.insert(0, node)
    return node.outputs[0]


@dataclass
class Sparse:
    """Weights of which a part is zero. block: how many elements of the last dim lie together. direct: the operator
    takes them as they are, without a DENSIFY before it. indices: "Int32" or "Uint8"."""

    dense: Any
    block: int = 1
    direct: bool = False
    indices: str = "Uint8"


def sparse(weights: Sparse) -> tuple[Any, Any]:
    """The stored values and their schema.SparsityParametersT: all dims dense but the last, which lists its blocks."""
    shape, found = weights.dense.shape, schema.SparsityParametersT()
    rows = weights.dense.reshape(-1, shape[-1] // weights.block, weights.block)
    held = (rows != 0).any(axis=2)
    levels = [(size, None, None) for size in shape[:-1]]
    levels.append((0, np.concatenate([[0], held.sum(axis=1).cumsum()]), held.nonzero()[1]))
    levels += [(weights.block, None, None)] * (weights.block > 1)
    found.traversalOrder = list(range(len(levels)))
    found.blockMap = [len(shape) - 1] * (weights.block > 1)
    found.dimMetadata = [_level(*level, weights.indices) for level in levels]
    return rows[held], found


def _level(size: int, segments: Any, indices: Any, width: str) -> Any:
    level = schema.DimensionMetadataT()
    level.format, level.denseSize = int(segments is not None), size
    if segments is not None:
        for name, values in (("Segments", segments), ("Indices", indices)):
            vector = getattr(schema, f"{width}VectorT")()
            vector.values = values.tolist()
            setattr(level, f"array{name}", vector)
            setattr(level, f"array{name}Type", getattr(schema.SparseIndexVector, f"{width}Vector"))
    return level


def pruned(*shape: int, block: int = 1) -> Any:
    """Weights of which about half of the blocks are zero."""
    kept = _RANDOM.random((*shape[:-1], shape[-1] // block)) < 0.5
    return _w(*shape) * np.repeat(kept, block, axis=-1)


def detection(regular: bool) -> bytes:
    options = {"max_detections": 6, "detections_per_class": 5, "num_classes": 3, "max_classes_per_detection": 1}
    options |= {"y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0}
    options |= {"nms_score_threshold": 0.3, "nms_iou_threshold": 0.5, "use_regular_nms": regular}
    inputs = [(1, 40, 4), (1, 40, 4), np.abs(_w(40, 4))]
    return single("TFLite_Detection_PostProcess", inputs, [(1, 6, 4), (1, 6), (1, 6), (1,)], options)


def lstm_weights(features: int, units: int, outputs: int, without: str) -> list[Any]:
    """The seventeen weights of a direction. without: of "input", "peepholes", "projection"."""
    found: list[Any] = [_w(units, features) for _ in range(4)] + [_w(units, outputs) for _ in range(4)]
    found += [_w(units) for _ in range(3)] + [_w(units) for _ in range(4)] + [_w(outputs, units), _w(outputs)]
    leave = [0, 4, 8, 11] if "input" in without else []
    leave += [8, 9, 10] if "peepholes" in without else []
    leave += [15, 16] if "projection" in without else []
    return [None if index in leave else each for index, each in enumerate(found)]


def lstm(without: str, norm: bool = False, clip: float = 0.0, time_major: bool = False) -> bytes:
    units = 6
    outputs = units if "projection" in without else 4
    shape = (5, 2) if time_major else (2, 5)
    inputs = [(*shape, 3), *lstm_weights(3, units, outputs, without)]
    inputs += [("variable", (2, outputs)), ("variable", (2, units))]
    if norm:
        inputs += [None if "input" in without else _w(units), _w(units), _w(units), _w(units)]
    fields = {"fusedActivationFunction": 4, "cellClip": clip, "projClip": clip / 2, "timeMajor": time_major}
    options = ("UnidirectionalSequenceLSTMOptions", fields)
    op = schema.BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM
    return single(op, inputs, [(*shape, outputs)], options)


def bidirectional(merge: bool) -> bytes:
    inputs: list[Any] = [(5, 2, 3)]
    for _ in range(2):
        inputs += lstm_weights(3, 6, 6, "peepholes projection")
    inputs += [("variable", (2, 6))] * 4 + [None] * 9
    made = [(5, 2, 12)] if merge else [(5, 2, 6)] * 2
    fields = {"fusedActivationFunction": 4, "mergeOutputs": merge, "timeMajor": True}
    return single(
        schema.BuiltinOperator.BIDIRECTIONAL_SEQUENCE_LSTM, inputs, made, ("BidirectionalSequenceLSTMOptions", fields)
    )


def composite() -> bytes:
    """An operator that names itself and a graph that computes it: x * x."""
    ops = schema.BuiltinOperator
    model = schema.ModelT.InitFromPackedBuf(single(ops.MUL, [(3, 4), (3, 4)], [(3, 4)], ("MulOptions", {})))
    inner = model.subgraphs[0]
    inner.inputs, inner.operators[0].inputs = [0], [0, 0]
    code, node = schema.OperatorCodeT(), schema.OperatorT()
    code.builtinCode, code.deprecatedBuiltinCode, code.version = ops.STABLEHLO_COMPOSITE, 127, 1
    node.opcodeIndex, node.inputs, node.outputs = 1, [0], [1]
    node.builtinOptions2Type = schema.BuiltinOptions2.StableHLOCompositeOptions
    node.builtinOptions2 = schema.StableHLOCompositeOptionsT()
    node.builtinOptions2.name, node.builtinOptions2.decompositionSubgraphIndex = "odml.square", 1
    node.builtinOptions2.compositeAttributes = list(flexbuffers.Dumps({}))
    outer = schema.SubGraphT()
    outer.tensors, outer.operators, outer.inputs, outer.outputs = [], [node], [], [1]
    _tensor(model, outer, (3, 4), fed=True)
    _tensor(model, outer, (3, 4), fed=False)
    model.operatorCodes.append(code)
    model.subgraphs = [outer, inner]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def crafted() -> Mapping[str, bytes]:
    ops = schema.BuiltinOperator
    pool = {"padding": 0, "strideW": 2, "strideH": 1, "filterWidth": 3, "filterHeight": 2}
    conv = {"padding": 1, "strideW": 1, "strideH": 1}
    dense = ("FullyConnectedOptions", {})
    rnn = {"timeMajor": False, "fusedActivationFunction": 4}
    return {
        "composite": composite(),
        "detection": detection(False),
        "detection_regular": detection(True),
        "lstm_plain": lstm("peepholes projection"),
        "lstm_peepholes": lstm("projection"),
        "lstm_coupled": lstm("input peepholes projection"),
        "lstm_coupled_peepholes": lstm("input projection"),
        "lstm_projection": lstm("peepholes"),
        "lstm_clipped": lstm("", clip=0.4),
        "lstm_coupled_clipped": lstm("input peepholes", clip=0.4),
        "lstm_norm": lstm("peepholes projection", norm=True),
        "lstm_time_major": lstm("peepholes projection", time_major=True),
        "lstm_both": bidirectional(False),
        "lstm_both_merged": bidirectional(True),
        "rnn": single(
            ops.UNIDIRECTIONAL_SEQUENCE_RNN,
            [(2, 5, 3), _w(4, 3), _w(4, 4), _w(4), ("variable", (2, 4))],
            [(2, 5, 4)],
            ("SequenceRNNOptions", rnn),
        ),
        "l2_pool": single(ops.L2_POOL_2D, [(1, 5, 6, 3)], [(1, 5, 3, 3)], ("Pool2DOptions", pool)),
        "relu_0_to_1": single(ops.RELU_0_TO_1, [(3, 4)], [(3, 4)]),
        "update_slice": single(ops.DYNAMIC_UPDATE_SLICE, [(4, 5), (2, 2), np.array([3, 1], np.int32)], [(4, 5)]),
        "embedding_lookup": single(ops.EMBEDDING_LOOKUP, [np.array([2, 0], np.int32), (4, 3)], [(2, 3)]),
        "sparse": single(ops.FULLY_CONNECTED, [(2, 12), Sparse(pruned(8, 12), direct=True), _w(8)], [(2, 8)], dense),
        "sparse_blocks": single(
            ops.FULLY_CONNECTED, [(2, 12), Sparse(pruned(8, 12, block=4), 4, True, "Int32"), _w(8)], [(2, 8)], dense
        ),
        "densified": single(
            ops.CONV_2D, [(1, 5, 6, 4), Sparse(pruned(3, 2, 2, 4)), _w(3)], [(1, 4, 5, 3)], ("Conv2DOptions", conv)
        ),
        "flex": single("FlexErf", [(3, 4)], [(3, 4)], {}),
        "stateful": single(
            ops.SVDF, [(2, 3), _w(4, 3), _w(4, 5), _w(2), ("variable", (2, 20))], [(2, 2)], ("SVDFOptions", {"rank": 2})
        ),
    }
