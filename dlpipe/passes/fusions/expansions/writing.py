"""Write nodes in place of one: what all expansions use."""

from typing import Any

import numpy as np
import onnx_ir as ir

from ...graph.infra import add_constant


class Writer:
    """Puts nodes before `node`, whose name theirs start with."""

    def __init__(self, node: ir.Node) -> None:
        self.node = node
        self._stem = node.name or node.outputs[0].name
        self._count = 0

    def op(self, operator: str, *inputs: ir.Value, **attributes: Any) -> ir.Value:
        """What the new node makes; its type is the first input's until shapes are inferred again."""
        made = ir.Node(
            "",
            operator,
            inputs,
            [ir.convenience.convert_attribute(name, value) for name, value in attributes.items()],
            name=self._name(operator),
        )
        made.outputs[0].name, made.outputs[0].type = made.name, inputs[0].type
        self.node.prepend(made)
        return made.outputs[0]

    def cast(self, value: ir.Value, dtype: ir.DataType) -> ir.Value:
        made = self.op("Cast", value, to=int(dtype))
        made.type = ir.TensorType(dtype)
        return made

    def weight(self, array: Any, like: ir.Value | None = None) -> ir.Value:
        """A new weight, in the type of `like`."""
        assert like is None or like.dtype is not None
        typed = np.asarray(array) if like is None or like.dtype is None else np.asarray(array, like.dtype.numpy())
        return add_constant(self.node.graph, typed, self._name("weight"))

    def sizes(self, *values: int) -> ir.Value:
        return self.weight(np.array(values, np.int64))

    def _name(self, what: str) -> str:
        self._count += 1
        return f"{self._stem}/{what.lower()}_{self._count}"


class Left(Exception):
    pass


def given(node: ir.Node, index: int) -> ir.Value:
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise Left(f"its input {index} is missing")
    return value


def only_first_output(node: ir.Node) -> None:
    if any(value.uses() or value.is_graph_output() for value in node.outputs[1:]):
        raise Left("more than its first output is read")
