"""A graph -> the bytes of a .tflite file. The same graph gives the same bytes."""

from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from .graph import Array, Graph, Op, Quant, Tensor
from .versions import version

SCHEMA = 3
_IDENTIFIER = b"TFL3"
_ALIGNMENT = 16  # of constants: kernels read them where they lie
_OPTIONS = {  # operator -> the table of its options, where that is not named after it
    "AVERAGE_POOL_2D": "Pool2D", "MAX_POOL_2D": "Pool2D", "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D",
    "CONV_3D": "Conv3D", "MEAN": "Reducer", "SUM": "Reducer", "REDUCE_MAX": "Reducer", "REDUCE_MIN": "Reducer",
    "REDUCE_PROD": "Reducer", "BATCH_MATMUL": "BatchMatMul", "SPLIT_V": "SplitV", "TOPK_V2": "TopKV2",
    "LOCAL_RESPONSE_NORMALIZATION": "LocalResponseNormalization", "SELECT_V2": "SelectV2", "GATHER_ND": "GatherNd",
    "REVERSE_V2": "ReverseV2", "PADV2": "PadV2", "MINIMUM": "MaximumMinimum", "MAXIMUM": "MaximumMinimum",
    "RESIZE_NEAREST_NEIGHBOR": "ResizeNearestNeighbor", "TRANSPOSE_CONV": "TransposeConv",
}  # fmt: skip


class _Buffer(schema.BufferT):  # type: ignore[misc]  # the schema is Any to the host
    """The generated class does not align its bytes as the schema has it."""

    def __init__(self, data: Array | None) -> None:
        super().__init__()
        self._raw = None if data is None else np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)

    def Pack(self, builder: Any) -> Any:  # noqa: N802 - the name of what it replaces
        if self._raw is not None:
            builder.StartVector(1, self._raw.size, _ALIGNMENT)
            builder.head -= self._raw.size
            builder.Bytes[builder.head : builder.head + self._raw.size] = self._raw.tobytes()
            data = builder.EndVector()
        schema.BufferStart(builder)
        if self._raw is not None:
            schema.BufferAddData(builder, data)
        return schema.BufferEnd(builder)


def write(graph: Graph, description: str) -> bytes:
    """Raises ValueError for a graph of more than 2 GB, which the format cannot hold."""
    tensors = graph.tensors()
    places = {id(tensor): place for place, tensor in enumerate(tensors)}
    buffers = [_Buffer(None)]
    subgraph = schema.SubGraphT()
    subgraph.name = "main"
    subgraph.tensors = []
    for tensor in tensors:
        index = 0
        if tensor.data is not None:
            index = len(buffers)
            buffers.append(_Buffer(tensor.data))
        subgraph.tensors.append(_tensor(tensor, index))
    codes: dict[tuple[str, int], int] = {}
    subgraph.operators = [_operator(op, codes, places) for op in graph.ops]
    subgraph.inputs = [places[id(tensor)] for tensor in graph.inputs.values()]
    subgraph.outputs = [places[id(tensor)] for tensor in graph.outputs.values()]
    model = schema.ModelT()
    model.version, model.description = SCHEMA, description
    model.operatorCodes = [_code(kind, number) for kind, number in codes]
    model.subgraphs, model.buffers = [subgraph], buffers
    model.signatureDefs = [_signature(graph, places)]
    size = sum(tensor.data.nbytes for tensor in tensors if tensor.data is not None)
    if size >= 2**31 - 2**20:
        raise ValueError(f"its constants have {size:,} bytes, and a .tflite file holds at most 2 GB")
    builder = flatbuffers.Builder(size + 4096)
    builder.Finish(model.Pack(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _tensor(tensor: Tensor, buffer: int) -> Any:
    made = schema.TensorT()
    made.name, made.shape, made.buffer = tensor.name, list(tensor.shape), buffer
    made.type = getattr(schema.TensorType, tensor.dtype.upper())
    made.hasRank = True
    if tensor.quant is not None:
        made.quantization = _quantization(tensor.quant)
    return made


def _quantization(quant: Quant) -> Any:
    made = schema.QuantizationParametersT()
    made.scale = np.array(quant.scale, np.float32)
    made.zeroPoint = np.array(quant.zero, np.int64)
    made.quantizedDimension = quant.axis
    return made


def _operator(op: Op, codes: dict[tuple[str, int], int], places: Mapping[int, int]) -> Any:
    made = schema.OperatorT()
    made.opcodeIndex = codes.setdefault((op.kind, version(op)), len(codes))
    made.inputs = [-1 if tensor is None else places[id(tensor)] for tensor in op.inputs]
    made.outputs = [places[id(tensor)] for tensor in op.outputs]
    name = _OPTIONS.get(op.kind) or "".join(part.capitalize() for part in op.kind.split("_"))
    table = getattr(schema, f"{name}OptionsT", None)
    if table is None:
        assert not op.options, f"{op.kind} has no options"
        return made
    made.builtinOptionsType = getattr(schema.BuiltinOptions, f"{name}Options")
    made.builtinOptions = table()
    for field, value in op.options.items():
        assert hasattr(made.builtinOptions, field), f"{op.kind} has no option {field}"
        setattr(made.builtinOptions, field, value)
    return made


def _code(kind: str, number: int) -> Any:
    made = schema.OperatorCodeT()
    made.builtinCode = getattr(schema.BuiltinOperator, kind)
    made.deprecatedBuiltinCode = min(made.builtinCode, 127)  # where old runtimes look
    made.version = number
    return made


def _signature(graph: Graph, places: Mapping[int, int]) -> Any:
    """The contract's names, by which `get_signature_runner` takes and gives tensors."""
    made = schema.SignatureDefT()
    made.signatureKey, made.subgraphIndex = "serving_default", 0
    made.inputs = [_named(name, places[id(tensor)]) for name, tensor in graph.inputs.items()]
    made.outputs = [_named(name, places[id(tensor)]) for name, tensor in graph.outputs.items()]
    return made


def _named(name: str, place: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, place
    return made
