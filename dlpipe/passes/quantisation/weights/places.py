"""The weights that can be stored as integers, each with the node that reads it, as a matrix to be cut into blocks."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ...sensitivity.search import Group

OPERATORS = ("MatMul", "Gemm", "Gather", "Conv")
_LEAST = 1024  # numbers, below which integers save nothing worth the loss


@dataclass(frozen=True, slots=True)
class Place:
    """`matrix()` is [K, N], where blocks run along K: what is summed over, in a product; the row of a table."""

    node: ir.Node
    weight: ir.Value

    @property
    def name(self) -> str:
        return f"{self.node.name} ({self.node.op_type})"

    @property
    def stored_as(self) -> tuple[Any, ...]:
        """Two places that agree in this can read the same integers."""
        kind = "matrix" if self.node.op_type in ("MatMul", "Gemm") else self.node.op_type
        return self.weight, id(self.node.graph), kind, self._transposed, self._factor

    @property
    def rows(self) -> int:
        shape = [int(size) for size in self._tensor.shape]
        if self.node.op_type == "Conv":
            return int(np.prod(shape[1:]))
        return shape[1] if self._transposed else shape[0]

    @property
    def size(self) -> int:
        return int(self._tensor.size)

    def matrix(self) -> Any:
        """float32; read from where it lies. Raises Refused for one with numbers that have no integer."""
        array = self._tensor.numpy().astype(np.float32, copy=False)
        if not np.isfinite(array).all():
            raise Refused(
                f"the weight {self.weight.name!r} is not finite: integers cannot stand for it",
                kind="unsupported",
                node=self.node.name,
                op=self.node.op_type,
                hint="keep this node in float",
            )
        if self.node.op_type == "Conv":
            return array.reshape(len(array), -1).T
        array = array if self._factor == 1 else array * np.float32(self._factor)
        return array.T if self._transposed else array

    @property
    def _factor(self) -> float:
        return self.node.attributes.get_float("alpha", 1.0) if self.node.op_type == "Gemm" else 1.0

    @property
    def _tensor(self) -> Any:
        assert self.weight.const_value is not None
        return self.weight.const_value

    @property
    def _transposed(self) -> bool:
        if self.node.op_type == "Gemm":
            return bool(self.node.attributes.get_int("transB", 0))
        return bool(self.node.op_type == "Gather")


def find(model: ir.Model, operators: Collection[str], keep: Collection[str]) -> tuple[list[Place], list[str]]:
    """(the places in the order of the nodes, what of these operators has a large weight that stays in float)."""
    unknown = sorted(set(operators) - set(OPERATORS))
    if unknown:
        raise Refused(f"weights of {unknown[0]} are not stored as integers", kind="unsupported", op=unknown[0])
    found, left = [], []
    for node in model.graph.all_nodes():
        if node.op_type not in operators or node.domain != "":
            continue
        place = _place(node)
        if place is not None and not {node.name, node.op_type} & set(keep):
            found.append(place)
        elif place is not None or any(_is_large(value) for value in node.inputs):
            left.append(f"{node.name} ({node.op_type})")
    return found, sorted(left)


def _place(node: ir.Node) -> Place | None:
    position = 0 if node.op_type == "Gather" else 1
    weight = node.inputs[position] if len(node.inputs) > position else None
    other = node.inputs[1 - position]
    if weight is None or not _is_large(weight) or other is None or other.const_value is not None:
        return None
    assert weight.const_value is not None
    rank = len(weight.const_value.shape)
    fits = {
        "MatMul": rank == 2,
        "Gemm": not node.attributes.get_int("transA", 0),
        "Gather": rank == 2 and node.attributes.get_int("axis", 0) == 0,
        "Conv": True,
    }
    return Place(node, weight) if fits[node.op_type] else None


def _is_large(value: ir.Value | None) -> bool:
    return (
        value is not None
        and value.is_initializer()
        and not value.is_graph_input()
        and value.const_value is not None
        and value.const_value.dtype == ir.DataType.FLOAT
        and value.const_value.size >= _LEAST
    )


def candidates(model: ir.Model, operators: Collection[str], keep: Collection[str]) -> list[Group]:
    """Each place that can be chosen by itself (see passes/sensitivity)."""
    common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    found, _ = find(model, operators, keep)
    return [Group(str(place.node.name), (str(place.node.name),)) for place in found]


def refuse_quantised(model: ir.Model) -> None:
    """Raises Refused for a model with integers in it already."""
    for node in model.graph.all_nodes():
        if node.op_type in ("QuantizeLinear", "DequantizeLinear", "MatMulInteger", "ConvInteger"):
            raise Refused("the model is quantised already", kind="unsupported", node=node.name, op=node.op_type)
