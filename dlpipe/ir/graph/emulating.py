"""float16 and bfloat16 on a machine without their kernels: computed in float32, every result rounded.

ONNX Runtime's x86 build has no kernels for bfloat16, and it computes most of float16 in float32 from one end of the
graph to the other, so that what overflows on other hardware shows nowhere. Here each operator's result is rounded to
what the model says, as hardware does that sums in float32 and stores in 16 bits.
"""

from pathlib import Path

import onnx_ir as ir
from onnx_ir.passes import common

SHORT = frozenset({ir.DataType.FLOAT16, ir.DataType.BFLOAT16})
_FLOAT = ir.DataType.FLOAT
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan"})
# Their results are values that they were given, or the negative of one: rounded already.
# fmt: off
_MOVING = frozenset(
    {"Abs", "Clip", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "GatherElements", "GatherND",
     "GlobalMaxPool", "Identity", "Max", "MaxPool", "Min", "Neg", "Pad", "ReduceMax", "ReduceMin", "Relu", "Reshape",
     "Slice", "SpaceToDepth", "Split", "Squeeze", "Tile", "TopK", "Transpose", "Unsqueeze", "Where"}
)
# fmt: on


def write_emulated(source: Path, folder: Path) -> Path:
    """The emulation of the model in the file `source`, as a file (with its data beside it) in `folder`."""
    target = folder / source.name
    ir.save(emulate(ir.load(str(source))), str(target), external_data=source.name + ".data")
    return target


def uses(model: ir.Model, dtype: ir.DataType) -> bool:
    """Whether anything in the model is stored or declared in `dtype`, or cast to it."""
    for graph in (model.graph, *model.graph.subgraphs()):
        if any(value.dtype == dtype for value in (*graph.inputs, *graph.outputs, *graph.initializers.values())):
            return True
    return any(node.attributes.get_int("to", 0) == dtype.value for node in model.graph.all_nodes())


def emulate(model: ir.Model) -> ir.Model:
    """In place: the model, computing in float32 what it computed in 16 bits. Inputs and outputs keep their types."""
    if model.functions:
        common.InlinePass()(model)
    common.ShapeInferencePass(check_type=False, data_prop=False)(model)
    ports = [(str(value.name), value.dtype) for value in model.graph.outputs]
    nodes = [(node, _reads_short(node)) for node in model.graph.all_nodes()]  # before any type changes
    for node, reads_short in nodes:
        for value in node.outputs:
            if value.dtype in SHORT:
                _float_result(node, value, reads_short)
    for graph in (model.graph, *model.graph.subgraphs()):
        for value in (*graph.inputs, *graph.initializers.values()):
            if value.dtype in SHORT:
                _float_source(graph, value, model)
    for position, (name, dtype) in enumerate(ports):
        _restore_output(model.graph, position, name, dtype)
    return model


def _reads_short(node: ir.Node) -> bool:
    return any(value is not None and value.dtype in SHORT for value in node.inputs)


def _float_result(node: ir.Node, value: ir.Value, reads_short: bool) -> None:
    short = value.dtype
    assert short is not None
    standard = node.domain == ""
    if standard and node.op_type in _CONTROL_FLOW:
        value.dtype = _FLOAT  # what its graphs put out is float by now
    elif standard and (node.op_type == "Cast" or not reads_short):
        _follow(value, node, _FLOAT)  # a 16-bit value made from others: kept
    else:
        value.dtype = _FLOAT
        if not (standard and node.op_type in _MOVING):
            _follow(value, node, short, _FLOAT)


def _float_source(graph: ir.Graph, value: ir.Value, model: ir.Model) -> None:
    """Inputs and weights. What feeds a nested graph is float by now; all others are cast where the graph begins."""
    if graph is not model.graph and not value.is_initializer():
        value.dtype = _FLOAT
    else:
        _follow(value, None, _FLOAT, graph=graph)


def _follow(value: ir.Value, node: ir.Node | None, *dtypes: ir.DataType, graph: ir.Graph | None = None) -> None:
    """Casts after `value` (of `node`, or of the graph itself), which all read in its place."""
    graph = graph or (node.graph if node is not None else None)
    assert graph is not None
    users = tuple(value.uses())
    places = [index for index, output in enumerate(graph.outputs) if output is value]
    made: list[ir.Node] = []
    source = value
    for dtype in dtypes:
        made.append(_cast(source, dtype, f"{value.name}/as/{dtype.name}"))
        source = made[-1].outputs[0]
    if node is not None:
        node.append(made)
    elif len(graph):
        graph[0].prepend(made)
    else:
        graph.extend(made)
    for user, index in users:
        user.replace_input_with(index, source)
    for place in places:
        graph.outputs[place] = source


def _cast(value: ir.Value, to: ir.DataType, name: str) -> ir.Node:
    node = ir.Node("", "Cast", [value], [ir.AttrInt64("to", to.value)], name=name)
    made = node.outputs[0]
    made.name, made.shape, made.type = name, value.shape, ir.TensorType(to)
    return node


def _restore_output(graph: ir.Graph, position: int, name: str, dtype: ir.DataType | None) -> None:
    """The output's name and type, where another value stands in its place."""
    value = graph.outputs[position]
    if value.name == name and value.dtype == dtype:
        return
    for other in (value, *(each for node in graph for each in node.outputs)):
        if other.name == name:
            other.name = f"{name}/inner"
    cast = _cast(value, dtype or _FLOAT, name)
    cast.name = f"{name}/restored"
    graph.append(cast)
    graph.outputs[position] = cast.outputs[0]
