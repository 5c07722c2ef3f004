"""Operators that commute with a permutation of axes, and how they are said in the other order of axes.

Below, v = Transpose(u, perm): axis i of v is axis perm[i] of u. What an operator does to v it can do to u, if all that
it says of axes is said of u's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir

from .infra import add_constant, constant

Perm = tuple[int, ...]

# Each element of the output depends on the elements at the same place of the inputs, or on a broadcast one.
# fmt: off
_ELEMENTWISE = frozenset((
    "Abs", "Add", "And", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "Cast", "Ceil", "Celu", "Cos", "Div", "Elu", "Equal",
    "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu",
    "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not", "Or", "PRelu", "Pow",
    "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softplus", "Softsign", "Sqrt", "Sub", "Sum",
    "Swish", "Tanh", "ThresholdedRelu", "Where", "Xor",
))
# fmt: on
_REDUCING = frozenset(f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod"))
_REDUCING |= {"ReduceSum", "ReduceSumSquare"}
_SOFTMAX_ALONG_ONE_AXIS = 13  # before this opset Softmax flattened everything behind its axis
_SLICE_WITH_INPUTS = 10


@dataclass(frozen=True, slots=True)
class Commuting:
    """Which inputs have the axes of the output; `turn` says the rest of the node for the other order of axes."""

    data: tuple[int, ...]
    turn: Callable[[Perm], None]


def commuting(node: ir.Node, rank: int, opset: int) -> Commuting | None:
    """None for an operator that does not commute, or says of axes what is only known when the model runs."""
    if node.domain != "":
        return None
    every = tuple(index for index, value in enumerate(node.inputs) if value is not None)
    op = node.op_type
    if op in _ELEMENTWISE:
        return Commuting(every, _nothing)
    if op == "Clip":
        return Commuting((0,), _nothing)
    if op == "Concat":
        return Commuting(every, _axis(node, rank))
    if op in ("Softmax", "LogSoftmax", "Hardmax"):
        return Commuting((0,), _axis(node, rank, default=-1)) if opset >= _SOFTMAX_ALONG_ONE_AXIS else None
    if op == "Split" or (op in ("ArgMax", "ArgMin") and node.attributes.get_int("keepdims", 1)):
        return Commuting((0,), _axis(node, rank, default=0))
    if op in _REDUCING:
        return _reducing(node, rank)
    if op == "Pad":
        return _per_axis(node, 1, rank, parts=2) if len(node.inputs) > 1 and _input(node, 3) is None else None
    if op in ("Tile", "Expand"):
        return _per_axis(node, 1, rank)
    if op == "Slice" and opset >= _SLICE_WITH_INPUTS:
        return _slice(node, rank)
    return _resize(node, rank) if op == "Resize" else None


def _nothing(perm: Perm) -> None:
    """Nothing is said of axes."""
    del perm


def _axis(node: ir.Node, rank: int, default: int = 0) -> Callable[[Perm], None]:
    def turn(perm: Perm) -> None:
        axis = node.attributes.get_int("axis", default)
        node.attributes["axis"] = ir.AttrInt64("axis", perm[axis % rank])

    return turn


def _reducing(node: ir.Node, rank: int) -> Commuting | None:
    if not node.attributes.get_int("keepdims", 1):
        return None
    if "axes" in node.attributes:
        axes = node.attributes["axes"].as_ints()
        return Commuting(
            (0,),
            lambda perm: node.attributes.__setitem__("axes", ir.AttrInt64s("axes", [perm[a % rank] for a in axes])),
        )
    given = _input(node, 1)
    if given is None:
        return Commuting((0,), _nothing)
    stored = constant(given)
    return None if stored is None else Commuting((0,), lambda perm: _put(node, 1, [perm[a % rank] for a in stored]))


def _per_axis(node: ir.Node, index: int, rank: int, parts: int = 1) -> Commuting | None:
    """An input with one number for each axis, or several lists of these."""
    stored = constant(_input(node, index))
    if stored is None or stored.size != parts * rank:
        return None
    return Commuting((0,), lambda perm: _put(node, index, _turned(stored, perm, parts)))


def _slice(node: ir.Node, rank: int) -> Commuting | None:
    """Starts, ends and steps belong to the axes at the same place of the list of axes."""
    given, starts = _input(node, 3), _input(node, 1)
    stored = constant(given)
    if given is None and starts is not None and starts.shape is not None and isinstance(starts.shape[0], int):
        stored = np.arange(starts.shape[0])
    return None if stored is None else Commuting((0,), lambda perm: _put(node, 3, [perm[a % rank] for a in stored]))


def _resize(node: ir.Node, rank: int) -> Commuting | None:
    """Only to channels first, which all runtimes resize: after it, the first two axes stay as they are."""
    roi, scales, sizes = (_input(node, index) for index in (1, 2, 3))
    index = 3 if sizes is not None else 2
    stored, around = constant(sizes if sizes is not None else scales), constant(roi)
    if "axes" in node.attributes or stored is None or stored.size != rank or node.inputs[0] is None:
        return None
    if roi is not None and (around is None or around.size):
        return None
    shape = node.inputs[0].shape
    before = [1] * rank if index == 2 else list(shape) if shape is not None else [None] * rank
    stays = [size == old for size, old in zip(stored, before, strict=True)]

    def turn(perm: Perm) -> None:
        _put(node, index, _turned(stored, perm), stored.dtype)

    def fits(perm: Perm) -> bool:
        return all(stays[perm.index(axis)] for axis in (0, 1))

    return _Resizing((0,), turn, fits)


@dataclass(frozen=True, slots=True)
class _Resizing(Commuting):
    fits: Callable[[Perm], bool]


def fits(found: Commuting, perm: Perm) -> bool:
    """Whether the operator may be said for this order of axes."""
    return found.fits(perm) if isinstance(found, _Resizing) else True


def _input(node: ir.Node, index: int) -> ir.Value | None:
    return node.inputs[index] if index < len(node.inputs) else None


def _turned(stored: Any, perm: Perm, parts: int = 1) -> Any:
    numbers = np.asarray(stored).reshape(parts, -1)
    made = np.empty_like(numbers)
    made[:, list(perm)] = numbers
    return made.reshape(-1)


def _put(node: ir.Node, index: int, numbers: Sequence[int], dtype: Any = np.int64) -> None:
    node.resize_inputs(max(len(node.inputs), index + 1))
    node.replace_input_with(index, add_constant(node.graph, np.array(numbers, dtype), f"{node.name}/turned"))
