"""A float of 16 bits inside, float32 outside: what float16 and bfloat16 have in common."""

import abc
from typing import ClassVar

import ml_dtypes
import numpy as np
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from ..graph.infra import GraphPass, Rewritten, Work, opset
from ..sensitivity.search import Group
from . import operators
from .casts import FLOAT, drop_pairs, float_before, float_ports, short_after


class ShortFloat(GraphPass, abc.ABC):
    """What an operator's ONNX schema does not take in the short float, and what params["keep"] names (nodes or
    operators), computes in float32 between Casts, with its weights in float32."""

    short: ClassVar[ir.DataType]

    def __init__(self) -> None:
        self._keep: frozenset[str] = frozenset()
        self._short_of: dict[ir.Value, ir.Value] = {}
        self._left: list[str] = []
        self._main: ir.Graph | None = None

    def requires(self, model: ir.Model) -> None:
        for node in model.graph.all_nodes():
            if node.op_type in operators.QUANTISERS:
                raise Refused(
                    f"a quantised model is not converted to {self.short.name.lower()}",
                    kind="unsupported",
                    node=node.name,
                    op=node.op_type,
                )

    def candidates(self, model: ir.Model, keep: frozenset[str]) -> list[Group]:
        """The nodes that would compute in the short float: see passes/sensitivity."""
        version = opset(model)
        found = []
        for node in model.graph.all_nodes():
            floats = any(value is not None and value.dtype == FLOAT for value in (*node.inputs, *node.outputs))
            if floats and node.op_type != "Constant" and not _stays_float(node, keep) and self._takes(node, version)[2]:
                found.append(Group(str(node.name), (str(node.name),)))
        return found

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        self._keep = frozenset(work.params["keep"])
        if model.functions:
            common.InlinePass()(model)
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        model.graph.sort()
        self._main = model.graph
        outputs = [index for index, value in enumerate(model.graph.outputs) if value.dtype == FLOAT]
        self._store(model)
        converted = self._graph(model.graph, opset(model))
        float_ports(model.graph, self.short, outputs)
        drop_pairs(model, self.short)
        found = self._settle_weights()
        if found["clamped"]:
            limit = float(ml_dtypes.finfo(self.short.numpy()).max)
            work.note(
                f"{found['clamped']} weights were beyond {self._label}'s +-{limit:.5g} and are clamped", level="warning"
            )
        weights = found.pop("weights")
        changes = [f"{converted} nodes and {weights} weights in {self._label}"] if converted or weights else []
        return Rewritten(model, changes, {"left_float": sorted(self._left), **found})

    @property
    def _label(self) -> str:
        return str(self.short.name).lower()

    def _takes(self, node: ir.Node, version: int) -> tuple[list[bool], list[bool], bool]:
        inputs, outputs = operators.takes(node, self.short, version)
        return inputs, outputs, any(inputs) or any(outputs)

    def _store(self, model: ir.Model) -> None:
        """A short copy of each float weight, made when it is written; which of the two is read is settled node by
        node."""
        for graph in (model.graph, *model.graph.subgraphs()):
            for value in list(graph.initializers.values()):
                tensor = value.const_value
                if tensor is not None and tensor.dtype == FLOAT and not value.is_graph_input():
                    self._short_of[value] = _shortened(graph, value, self.short)

    def _settle_weights(self) -> dict[str, int]:
        """A short copy that stands alone takes its weight's name. Returns how many are short, how many of their numbers
        are clamped to the short float's range, and how many become zero."""
        limits = ml_dtypes.finfo(self.short.numpy())
        largest, smallest = float(limits.max), float(limits.smallest_subnormal)
        found = {"weights": 0, "clamped": 0, "flushed_to_zero": 0}
        for value, copy in self._short_of.items():
            if copy.graph is None:  # nothing reads it, and it has been cleaned away
                continue
            if value.graph is None:
                copy.name = value.name
            assert value.const_value is not None
            array = value.const_value.numpy()
            found["weights"] += 1
            found["clamped"] += int(np.count_nonzero(np.isfinite(array) & (np.abs(array) > largest)))
            found["flushed_to_zero"] += int(np.count_nonzero((array != 0) & (np.abs(array) < smallest / 2)))
        return found

    def _graph(self, graph: ir.Graph, version: int) -> int:
        """Every node: float values become short ones. Returns how many nodes compute in the short float."""
        converted = 0
        for node in list(graph):
            for body in operators.bodies(node):
                converted += self._graph(body, version)
                for value in (*body.inputs, *body.outputs):
                    self._make_short(value)
            converted += self._node(node, version)
        return converted

    def _node(self, node: ir.Node, version: int) -> int:
        """Returns 1 if the node computes in the short float."""
        if node.op_type in operators.CONTROL_FLOW and node.domain == "":
            for index, value in enumerate(node.inputs):
                if value in self._short_of:
                    node.replace_input_with(index, self._short_of[value])
            for value in node.outputs:
                self._make_short(value)
            return 0
        kept = _stays_float(node, self._keep)
        inputs, outputs, able = self._takes(node, version)
        if not kept:
            operators.retarget(node, self.short)
        touched = False
        floats: dict[ir.Value, ir.Value] = {}  # a node may read the same value twice
        for index, value in enumerate(node.inputs):
            if value is None or value.dtype not in (FLOAT, self.short):
                continue
            touched = True
            wants_float = kept or not inputs[index]
            if value in self._short_of:
                if not wants_float:
                    node.replace_input_with(index, self._short_of[value])
            elif wants_float:
                if value not in floats:
                    floats[value] = float_before(node, value)
                node.replace_input_with(index, floats[value])
        for index, value in enumerate(node.outputs):
            if value.dtype != FLOAT:
                continue
            touched = True
            if kept or not outputs[index]:
                short_after(node, value, self.short, nested=node.graph is not self._main)
            else:
                value.dtype = self.short
        in_short = touched and not kept and able
        if touched and not in_short:
            self._left.append(f"{node.name} ({node.op_type})")
        return int(in_short)

    def _make_short(self, value: ir.Value) -> None:
        if isinstance(value.type, (ir.SequenceType, ir.OptionalType)):
            raise Refused(f"{value.name!r} is a sequence: {self._label} is not made of these", kind="unsupported")
        if value.dtype == FLOAT:
            value.dtype = self.short


def _stays_float(node: ir.Node, keep: frozenset[str]) -> bool:
    return node.op_type in operators.KEPT or bool(keep & {str(node.name), node.op_type})


def _shortened(graph: ir.Graph, value: ir.Value, short: ir.DataType) -> ir.Value:
    tensor = value.const_value
    assert tensor is not None
    largest = float(ml_dtypes.finfo(short.numpy()).max)

    def make() -> ir.Tensor:
        array = tensor.numpy()
        clipped = np.where(np.isfinite(array), np.clip(array, -largest, largest), array)
        return ir.Tensor(clipped.astype(short.numpy()), dtype=short)

    name = f"{value.name}/{short.name.lower()}"
    lazy = ir.LazyTensor(make, dtype=short, shape=ir.Shape(tensor.shape), name=name)
    copy = ir.Value(name=name, shape=value.shape, type=ir.TensorType(short), const_value=lazy)
    graph.register_initializer(copy)
    return copy
