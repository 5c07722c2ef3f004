"""Find Transposes that undo each other across the operators between them, and take them out."""

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from .infra import add_constant, bypass, constant

Perm = tuple[int, ...]

# Each element of the output depends on the elements at the same place of the inputs, or on a broadcast scalar.
# fmt: off
_ELEMENTWISE = frozenset((
    "Abs", "Add", "Cast", "Ceil", "Clip", "Cos", "Div", "Elu", "Erf", "Exp", "Floor", "Gelu",
    "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Log", "Max", "Mean", "Min", "Mish", "Mul",
    "Neg", "Not", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin",
    "Softplus", "Softsign", "Sqrt", "Sub", "Sum", "Tanh", "ThresholdedRelu", "Where",
))
# fmt: on
_WITH_AXIS = frozenset({"Concat", "Softmax", "LogSoftmax"})
_SOFTMAX_ALONG_ONE_AXIS = 13  # before this opset Softmax flattened everything behind its axis


def cancel(graph: ir.Graph, opset: int) -> list[str]:
    """Returns one line per Transpose that was taken out."""
    changes = []
    for node in list(graph):
        if node.op_type != "Transpose" or node.domain != "" or node.graph is None:
            continue
        source, perm = node.inputs[0], permutation(node)
        if source is None or perm is None:
            continue
        region = _Region(inverse(perm), opset)
        if source.is_graph_output() or len(source.uses()) != 1 or not region.reaches(source):
            continue
        above = region.pull(source)
        changes.append(f"{node.name}: cancelled through {len(region.nodes)} operators")
        if above.is_graph_output() or (node.outputs[0].is_graph_output() and above.producer() is None):
            node.replace_input_with(0, above)  # an output must keep a name of its own
            node.op_type = "Identity"
            node.attributes.clear()
        else:
            bypass(node, above)
    return changes


def permutation(node: ir.Node) -> Perm | None:
    """The attribute; without one it reverses all axes, and the rank must be known."""
    if "perm" in node.attributes:
        return tuple(node.attributes["perm"].as_ints())
    shape = node.inputs[0].shape if node.inputs[0] is not None else None
    return None if shape is None else tuple(reversed(range(len(shape))))


def inverse(perm: Sequence[int]) -> Perm:
    return tuple(int(axis) for axis in np.argsort(perm))


class _Region:
    """The operators between Transposes by `perm` above and the one below that undoes them."""

    def __init__(self, perm: Perm, opset: int) -> None:
        self.perm = perm
        self.opset = opset
        self.nodes: list[ir.Node] = []

    def reaches(self, value: ir.Value) -> bool:
        """Whether `value` is a Transpose by `perm` of something, as it stands or once the operators are moved."""
        node = value.producer()
        if node is None or node.domain != "":
            return False
        if node.op_type == "Transpose":
            return permutation(node) == self.perm
        if node in self.nodes or len(value.uses()) != 1 or value.is_graph_output() or len(node.outputs) != 1:
            return False
        if not self._movable(node):
            return False
        self.nodes.append(node)
        operands = [operand for operand in node.inputs if operand is not None]
        moved = [operand for operand in operands if constant(operand) is None]
        stored = [array for array in map(constant, operands) if array is not None]
        fit = all(array.ndim <= len(self.perm) for array in stored)
        return bool(moved) and fit and all(self.reaches(operand) for operand in moved)

    def _movable(self, node: ir.Node) -> bool:
        if node.op_type in _ELEMENTWISE:
            return True
        if node.op_type not in _WITH_AXIS:
            return False
        return node.op_type == "Concat" or self.opset >= _SOFTMAX_ALONG_ONE_AXIS

    def pull(self, value: ir.Value) -> ir.Value:
        """Rewire the region so that it computes before the Transposes; returns what `value` is a Transpose of."""
        node = value.producer()
        assert node is not None
        if node.op_type == "Transpose":
            source = node.inputs[0]
            assert source is not None
            return source
        for index, operand in enumerate(node.inputs):
            if operand is not None:
                node.replace_input_with(index, self._operand(node, operand))
        if node.op_type in _WITH_AXIS:
            axis = node.attributes.get_int("axis", -1)
            node.attributes["axis"] = ir.AttrInt64("axis", self.perm[axis])
        value.shape = None
        return value

    def _operand(self, node: ir.Node, operand: ir.Value) -> ir.Value:
        array = constant(operand)
        if array is None:
            return self.pull(operand)
        if array.size == 1 and node.op_type != "Concat":
            return operand
        full = array.reshape((1,) * (len(self.perm) - array.ndim) + array.shape)
        turned = np.ascontiguousarray(full.transpose(inverse(self.perm)))
        return add_constant(node.graph, turned, f"{operand.name}/turned")
