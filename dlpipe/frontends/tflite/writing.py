"""Operators -> nodes, in the order of the file, which is that of execution."""

from __future__ import annotations

from ..kit.flatbuffer import damaged
from . import (  # noqa: F401  each registers its handlers
    control,
    convolutions,
    detection,
    elementwise,
    images,
    matrices,
    normalising,
    picking,
    pooling,
    quantising,
    recurrent,
    reducing,
    shaping,
    slicing,
    suppressing,
)
from .handlers import HANDLERS
from .reading import Operator
from .scope import Scope


def write(scope: Scope) -> None:
    """Raises Refused for an operator that is not handled, naming all kinds of them."""
    missing = sorted({op.op for op in scope.subgraph.operators if op.op not in HANDLERS})
    for op in scope.subgraph.operators:
        if op.op not in HANDLERS:
            raise op.refuse(*_why(op, missing))
        scope.whole.spend_operator()
        _check(scope, op)
        try:
            HANDLERS[op.op].write(scope, op)
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Handlers take an operator's tensors to be what it needs: ranks, lengths of settings, types.
            found = f"{type(error).__name__}: {error}"
            raise damaged(f"operator {op.index}, {op.op}, does not fit its tensors ({found})") from error


def _why(op: Operator, missing: list[str]) -> tuple[str, str | None]:
    also = f" (and {', '.join(each for each in missing if each != op.op)})" if len(missing) > 1 else ""
    if op.op.startswith("Flex"):
        return f"is an operator of TensorFlow itself (Select TF){also}", "convert the TensorFlow model instead"
    if op.custom:
        return f"is a custom operator{also}, whose meaning the file does not hold", None
    return f"is not handled{also}", None


def _check(scope: Scope, op: Operator) -> None:
    """What every handler takes for granted."""
    count = REQUIRED.get(op.op, 1)
    if len(op.inputs) < count or any(index < 0 for index in op.inputs[:count]):
        raise damaged(f"operator {op.index}, {op.op}, lacks an input")
    if not op.outputs or any(index < 0 for index in op.outputs):
        raise damaged(f"operator {op.index}, {op.op}, lacks an output")
    if any(scope.tensor(index).data is not None for index in op.outputs):
        raise damaged(f"operator {op.index}, {op.op}, writes into a constant")


# Operators without which input cannot be written: the first so many.
REQUIRED = {
    "IF": 1,
    "PACK": 1,
    "NON_MAX_SUPPRESSION_V4": 5,
    "NON_MAX_SUPPRESSION_V5": 6,
    **dict.fromkeys(
        [
            "ADD",
            "SUB",
            "MUL",
            "DIV",
            "MAXIMUM",
            "MINIMUM",
            "POW",
            "LOGICAL_AND",
            "LOGICAL_OR",
            "BITWISE_XOR",
            "EQUAL",
            "NOT_EQUAL",
            "LESS",
            "LESS_EQUAL",
            "GREATER",
            "GREATER_EQUAL",
            "FLOOR_DIV",
            "FLOOR_MOD",
            "SQUARED_DIFFERENCE",
            "PRELU",
            "CONV_2D",
            "DEPTHWISE_CONV_2D",
            "CONV_3D",
            "FULLY_CONNECTED",
            "BATCH_MATMUL",
            "BROADCAST_ARGS",
            "MEAN",
            "SUM",
            "REDUCE_PROD",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "REDUCE_ANY",
            "REDUCE_ALL",
            "ARG_MAX",
            "ARG_MIN",
            "TOPK_V2",
            "CUMSUM",
            "EXPAND_DIMS",
            "TRANSPOSE",
            "SPLIT",
            "TILE",
            "BROADCAST_TO",
            "FILL",
            "REVERSE_V2",
            "REVERSE_SEQUENCE",
            "PAD",
            "PADV2",
            "MIRROR_PAD",
            "GATHER",
            "EMBEDDING_LOOKUP",
            "GATHER_ND",
            "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR",
        ],
        2,
    ),
    **dict.fromkeys(
        [
            "TRANSPOSE_CONV",
            "SPLIT_V",
            "RANGE",
            "SLICE",
            "DYNAMIC_UPDATE_SLICE",
            "SCATTER_ND",
            "SELECT",
            "SELECT_V2",
            "SPACE_TO_BATCH_ND",
            "BATCH_TO_SPACE_ND",
        ],
        3,
    ),
    **dict.fromkeys(["STRIDED_SLICE", "ONE_HOT"], 4),
}
