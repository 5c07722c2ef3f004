"""Since which version of its kernel an operator can do what a graph asks of it: an old runtime then says that it is
too old, instead of computing something else. Source: the versions that TensorFlow documents for each operator."""

from .graph import Op

_INT8 = {
    "ADD": 2, "ARG_MAX": 2, "ARG_MIN": 2, "AVERAGE_POOL_2D": 2, "BATCH_MATMUL": 2, "CAST": 3, "CONCATENATION": 2,
    "CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "DEPTH_TO_SPACE": 2, "DEQUANTIZE": 2, "EQUAL": 2, "FULLY_CONNECTED": 4,
    "GATHER": 2, "GELU": 2, "GREATER": 2, "GREATER_EQUAL": 2, "LESS": 2, "LESS_EQUAL": 2, "LOGISTIC": 2,
    "LOG_SOFTMAX": 2, "MAXIMUM": 2, "MAX_POOL_2D": 2, "MEAN": 2, "MINIMUM": 2, "MIRROR_PAD": 2, "MUL": 2,
    "NOT_EQUAL": 2, "PACK": 2, "PAD": 2, "PADV2": 2, "REDUCE_MAX": 2, "REDUCE_MIN": 2, "RELU": 2, "RELU6": 2,
    "RESIZE_BILINEAR": 2, "RESIZE_NEAREST_NEIGHBOR": 2, "RSQRT": 2, "SLICE": 2, "SOFTMAX": 2, "SPACE_TO_DEPTH": 2,
    "SPLIT": 2, "SPLIT_V": 2, "SQUARED_DIFFERENCE": 2, "STRIDED_SLICE": 2, "SUB": 2, "SUM": 2, "TANH": 2, "TILE": 3,
    "TOPK_V2": 2, "TRANSPOSE": 2, "TRANSPOSE_CONV": 2,
}  # fmt: skip
_INT64 = {"ADD": 4, "SUB": 4, "MUL": 5}
_WIDE = {
    "PAD": 4,
    "PADV2": 4,
    "TRANSPOSE": 4,
    "STRIDED_SLICE": 4,
    "SLICE": 5,
    "MAXIMUM": 3,
    "MINIMUM": 3,
    "SUB": 3,
    "DIV": 2,
}


def version(op: Op) -> int:
    kinds = [tensor.dtype for tensor in [*op.inputs, *op.outputs] if tensor is not None]
    first = op.inputs[0]
    data = op.inputs[2] if op.kind == "TRANSPOSE_CONV" else first
    found = 1
    if data is not None and data.dtype == "int8":
        found = _INT8.get(op.kind, 1)
    if data is not None and data.dtype == "int64":
        found = max(found, _INT64.get(op.kind, 1))
    if any(len(tensor.shape) > 4 for tensor in op.inputs if tensor is not None):
        found = max(found, _WIDE.get(op.kind, 1))
    match op.kind:
        case "FULLY_CONNECTED" if op.options.get("keepNumDims"):
            found = max(found, 5)
        case "RESIZE_BILINEAR" | "RESIZE_NEAREST_NEIGHBOR" if op.options:
            found = 3
        case "DEQUANTIZE" if "float16" in kinds:
            found = 3
        case "DEQUANTIZE" if data is not None and data.quant is not None and len(data.quant.scale) > 1:
            found = 5
        case "BROADCAST_TO":
            found = 3 if "int8" in kinds else 2
        case "CAST" if {"float16", "float64"} & set(kinds):
            found = 5
        case "TRANSPOSE_CONV" if len(op.inputs) > 3:
            found = 3
        case "DEPTHWISE_CONV_2D" if found == 1 and op.options.get("dilationWFactor", 1) != 1:
            found = 2
        case "MUL" if found == 2 and _rescales(op):
            found = 3
        case "GATHER" if "bool" in kinds:
            found = 3
    return found


def _rescales(op: Op) -> bool:
    scales = [tensor.quant.scale[0] for tensor in [*op.inputs, *op.outputs] if tensor is not None and tensor.quant]
    return len(scales) == 3 and scales[0] * scales[1] / scales[2] >= 1
