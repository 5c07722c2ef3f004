"""Follow the channels of a graph from operator to operator.

Safe by construction: whatever a rule does not claim is frozen, so an operator without a rule, a nested graph and a
weight that one rule overlooked cost pruned channels, never a wrong result.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import onnx_ir as ir

from ..graph.infra import constant, opset
from .units import Labels, Units

# What must change beside the weights once it is known which positions stay: kept(labels) is a mask of them.
Kept = Callable[[Labels], Any]
Fix = Callable[[Kept], None]


@dataclass(frozen=True, slots=True)
class Product:
    """A stored weight that makes channels, along its axis `out`, `positions` times."""

    node: ir.Node
    weight: ir.Value
    out: int
    positions: int | None  # None: not known before the model runs


class Traced:
    """`labels` of every value of the main graph, and what depends on them."""

    def __init__(self, model: ir.Model) -> None:
        self.units = Units()
        self.labels: dict[ir.Value, list[Labels]] = {}
        self.products: list[Product] = []
        self.fixes: list[Fix] = []
        self.opset = opset(model)

    def dims(self, value: ir.Value) -> list[Labels] | None:
        """One entry per axis, None where that dim is not followed; None for a value of unknown rank."""
        if value not in self.labels:
            sizes = stored_shape(value)
            if sizes is not None:
                self.labels[value] = [self.units.fresh(size) for size in sizes]
            elif value.shape is not None:
                self.labels[value] = [None] * len(value.shape)
            else:
                return None
        return self.labels[value]

    def freeze(self, value: ir.Value, reason: str) -> None:
        for labels in self.dims(value) or ():
            self.units.freeze(labels, reason)

    def made_by(self, product: Product) -> Labels:
        return self.labels[product.weight][product.out]

    def frozen(self) -> dict[str, str]:
        """Layer -> why some of its channels must stay."""
        found = {}
        for product in self.products:
            reasons = (self.units.why_frozen(int(unit)) for unit in self.made_by(product))
            reason = next((each for each in reasons if each is not None), None)
            if reason is not None:
                found[str(product.node.name)] = reason
        return found


class Step:
    """What a rule sees of one node, and what it says about it."""

    def __init__(self, traced: Traced, node: ir.Node) -> None:
        self.traced = traced
        self.node = node
        self.reason = f"{node.name or node.outputs[0].name} ({node.op_type})"
        self._claimed: set[tuple[int, int]] = set()

    def dims(self, index: int) -> list[Labels] | None:
        """Of input `index`; None for one that is absent or of unknown rank."""
        value = self.node.inputs[index] if index < len(self.node.inputs) else None
        return None if value is None else self.traced.dims(value)

    def claim(self, index: int, axis: int) -> Labels:
        """The labels of that dim of an input. By asking, the rule promises to say where they go."""
        dims = self.dims(index)
        assert dims is not None
        self._claimed.add((index, axis % len(dims)))
        return dims[axis]

    def size(self, index: int, axis: int) -> int | None:
        """Before the cut; None if it is not known."""
        dims, value = self.dims(index), self.node.inputs[index]
        if dims is not None and dims[axis] is not None:
            return len(dims[axis])
        size = value.shape[axis] if value is not None and value.shape is not None else None
        return size if isinstance(size, int) else None

    def stored(self, index: int) -> Any:
        """The array of a stored input, else None."""
        return constant(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def stored_shape(self, index: int) -> tuple[int, ...] | None:
        """Of a stored input; it is not read."""
        return stored_shape(self.node.inputs[index]) if index < len(self.node.inputs) else None

    def has(self, index: int) -> bool:
        return index < len(self.node.inputs) and self.node.inputs[index] is not None

    def tie(self, one: Labels, other: Labels) -> None:
        self.traced.units.tie(one, other, self.reason)

    def freeze(self, labels: Labels) -> None:
        self.traced.units.freeze(labels, self.reason)

    def put(self, dims: list[Labels], output: int = 0) -> None:
        self.traced.labels[self.node.outputs[output]] = dims

    def fix(self, fix: Fix) -> None:
        self.traced.fixes.append(fix)

    def product(self, out: int, positions: int | None) -> None:
        """The node's second input is the weight of a product."""
        weight = self.node.inputs[1]
        assert weight is not None
        self.traced.products.append(Product(self.node, weight, out, positions))

    def finish(self) -> None:
        """Freeze what the rule left unclaimed; a rule that put no output has declined, whatever it claimed."""
        declined = self.node.outputs[0] not in self.traced.labels
        for index in range(len(self.node.inputs)):
            for axis, labels in enumerate(self.dims(index) or ()):
                if declined or (index, axis) not in self._claimed:
                    self.freeze(labels)


Rule = Callable[[Step], None]


def stored_shape(value: ir.Value | None) -> tuple[int, ...] | None:
    """Of a stored weight; None for anything else, and for what the user may feed."""
    if value is None or value.const_value is None or value.is_graph_input() or not value.is_initializer():
        return None
    return tuple(int(size) for size in value.const_value.shape)


def follow(model: ir.Model, rules: Mapping[str, Rule]) -> Traced:
    """Apply the rule of each node of the main graph; inputs, outputs and what nested graphs read are frozen."""
    traced = Traced(model)
    for node in model.graph:
        step = Step(traced, node)
        rule = rules.get(node.op_type) if node.domain == "" else None
        if rule is not None:
            rule(step)
        step.finish()
    for value in model.graph.outputs:
        traced.freeze(value, f"the output {value.name}")
    for body in model.graph.subgraphs():
        for value in (*body.outputs, *(value for node in body for value in node.inputs if value is not None)):
            traced.freeze(value, f"the nested graph {body.name}")
    return traced
