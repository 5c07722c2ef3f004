"""What is the same for every input is computed once, here."""

import math

import onnx_ir as ir
from onnx_ir.passes import common
from onnxscript import optimizer

from .infra import GraphPass, Rewritten, Snapshot, Work, constant, opset
from .unused import remove_unused

MAX_ELEMENTS = 1 << 22  # of one folded tensor
_MAX_ROUNDS = 10
# The output of these may be far larger than all inputs together.
_GROW = frozenset({"ConstantOfShape", "Expand", "Tile", "Range", "Resize", "Upsample", "Pad", "OneHot", "EyeLike"})
_TINY = 64  # elements: what operators that do not grow make of such inputs is small
_HIDDEN = "dlpipe.hidden"
_SPLIT_WITH_INPUTS = 13
_SMALL_FILL = 1 << 16  # elements of a ConstantOfShape that is worth storing


class FoldConstants(GraphPass):
    """Evaluate nodes whose inputs are all known, and hold the results as initializers.

        Shape(x: 1x3x4) -> Gather(0) -> Unsqueeze -> Concat([-1]) -> Reshape      becomes      Reshape([1, -1])

    Requires nothing. Ensures that no Constant node is left in the main graph, but for an output. Exact: computed in
    the tensor's own type. Bounded: a node is evaluated only where its result is known beforehand to have at most 4 M
    elements, so that a ConstantOfShape or Expand of hostile size costs nothing. Source: onnxscript.optimizer.
    """

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        del work
        before = Snapshot.of(model)
        fold(model)
        return Rewritten(model, before.changes_to(model))

    def ensures(self, model: ir.Model) -> None:
        for node in model.graph:
            lifted = node.op_type != "Constant" or node.domain != "" or node.outputs[0].is_graph_output()
            assert lifted, f"{node.name} is a Constant"


def fold(model: ir.Model) -> None:
    """In place."""
    if model.functions:
        common.InlinePass()(model)
    hidden = _hide_sequences(model)
    for _ in range(_MAX_ROUNDS):
        result = optimizer.fold_constants_ir(
            model,
            onnx_shape_inference=True,
            input_size_limit=MAX_ELEMENTS,
            output_size_limit=MAX_ELEMENTS,
            should_fold=_should_fold,
        )
        common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        remove_unused(model)
        if not result.modified:
            break
    for node in hidden:
        node.domain = ""


def _hide_sequences(model: ir.Model) -> list[ir.Node]:
    """onnxscript writes Splits and Unsqueezes of set 13 in place of operators on sequences, whatever the model's set
    is, and fails where the parts are not known: it does not touch a domain that the model does not import."""
    hidden = []
    for node in model.graph.all_nodes():
        unknown = node.op_type == "SplitToSequence" and len(node.inputs) > 1 and constant(node.inputs[1]) is None
        if node.domain == "" and "Sequence" in node.op_type and (unknown or opset(model) < _SPLIT_WITH_INPUTS):
            node.domain = _HIDDEN
            hidden.append(node)
    return hidden


def _should_fold(node: ir.Node) -> bool | None:
    """False: never. True: now. None: as onnxscript sees fit (it leaves quantisers alone)."""
    sizes = [_elements(value.shape) for value in node.outputs]
    known = [size for size in sizes if size is not None]
    if len(known) < len(sizes):
        inputs = [value.const_value for value in node.inputs if value is not None]
        tiny = all(tensor is not None and tensor.size <= _TINY for tensor in inputs)
        return None if tiny and node.op_type not in _GROW else False
    if max(known, default=0) > MAX_ELEMENTS:
        return False
    if node.op_type == "ConstantOfShape":
        return max(known) <= _SMALL_FILL
    return None


def _elements(shape: ir.Shape | None) -> int | None:
    if shape is None or not all(isinstance(size, int) for size in shape):
        return None
    return math.prod(int(size) for size in shape if isinstance(size, int))
