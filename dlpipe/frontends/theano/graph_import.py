"""A pickled Theano graph -> ONNX, node by node. Theano is not needed, and nothing of the pickle is executed."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused, Request

from ..kit import ports
from ..kit.emit import Graph
from . import pickled_graph as pickled
from .graph_operators import HANDLERS
from .unpickling import Record


class Walk:
    """`names`: id of a variable -> its value in the ONNX graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.names: dict[int, str] = {}

    def name(self, variable: Record) -> str:
        """The variable's value; constants are made when they are first read."""
        if id(variable) not in self.names:
            self.names[id(variable)] = self.graph.constant(
                pickled.array_of(variable), str(variable.get("name") or "constant")
            )
        return self.names[id(variable)]

    def constant(self, variable: Record, what: str, node: str) -> Any:
        """The array of a constant. Raises Refused for a variable that is computed."""
        found = pickled.array_of(variable)
        if found is None:
            raise Refused(f"{what} is computed in the graph", kind="unsupported", node=node)
        return found

    def add(self, op: str, inputs: list[str], name: str, **attributes: Any) -> str:
        return self.graph.node(op, inputs, name=name, **attributes)

    def cast(self, value: str, have: str, want: str, name: str) -> str:
        if have == want:
            return value
        return self.add("Cast", [value], f"{name}/Cast", to=onnx.helper.np_dtype_to_tensor_dtype(np.dtype(want)))


def import_graph(request: Request, value: Any) -> dict[str, Any]:
    """Writes model.onnx and contract.json. params: inputs, outputs, dims."""
    ends = pickled.find(value)
    params, graph = request.params, Graph("theano")
    walk = Walk(graph)
    order = pickled.ancestors(ends.outputs)
    fed = [each for each in order if pickled.is_fed(each)]
    inputs = [each for each in ends.inputs if any(each is other for other in fed)]
    if len(inputs) < len(fed):
        missing = next(each for each in fed if not any(each is other for other in inputs))
        raise Refused(f"the graph needs {missing.get('name') or 'a variable'}, which is not among its inputs")
    for number, variable in enumerate(inputs):
        name = str(variable.get("name") or f"input_{number}")
        dtype, shape = pickled.dtype_of(variable), _shape(variable, name, params)
        walk.names[id(variable)] = graph.input(graph.fresh(name), dtype, shape, source=name)
    _refuse_loops(order)
    for number, variable in enumerate(order):
        owner = pickled.owner_of(variable)
        if owner is not None and id(variable) not in walk.names:
            _add(walk, owner, number)
    for number, variable in enumerate(ends.outputs):
        name = str(variable.get("name") or f"output_{number}")
        source = walk.name(variable)
        port = graph.fresh(name)
        graph.node("Identity", [source], [port], name=f"{port}/output")
        shape = [1 if one else f"{name}_{axis}" for axis, one in enumerate(pickled.ones_of(variable))]
        graph.output(port, pickled.dtype_of(variable), shape, source=name)
    _infer_shapes(graph)
    contract = graph.save(request.out, labels=ports.read_labels(request.inputs["source"], params["entry"]))
    return {"inputs": contract["inputs"], "outputs": contract["outputs"]}


def _refuse_loops(order: list[Record]) -> None:
    """A Scan prepares its states with operators that are not covered either: it is the one to name."""
    for variable in order:
        owner = pickled.owner_of(variable)
        op = owner.get("op") if owner is not None else None
        if isinstance(op, Record) and pickled.class_of(op) == "Scan":
            raise Refused("the operator Scan (a loop) is not covered", kind="unsupported", node="scan", op="Scan")


def _add(walk: Walk, node: Record, number: int) -> None:
    """Emit one Apply, and name its outputs."""
    op, inputs, outputs = node.get("op"), node.get("inputs"), node.get("outputs")
    if not isinstance(op, Record) or not isinstance(inputs, list) or not isinstance(outputs, list):
        raise Refused("a node of the graph lacks its operator, inputs or outputs")
    kind = pickled.class_of(op)
    named = next((str(each.get("name")) for each in outputs if isinstance(each, Record) and each.get("name")), None)
    name = named or f"{kind}_{number}"
    if kind not in HANDLERS:
        raise Refused(
            f"the operator {kind} (node {name}) is not covered",
            kind="unsupported",
            hint="pickle a graph that ends before it, or the network without training",
            node=name,
            op=kind,
        )
    try:
        made = HANDLERS[kind](walk, op, inputs, outputs, name)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise Refused(f"the node {name} ({kind}) is not as Theano makes it: {error!r}", node=name, op=kind) from None
    for variable, value in zip(outputs, made, strict=False):
        walk.names[id(variable)] = value


def _shape(variable: Record, name: str, params: Any) -> list[int | str]:
    """Theano's types tell the number of axes only; the user may tell the sizes."""
    ones = pickled.ones_of(variable)
    given = params.get("inputs", {}).get(name, {}).get("shape")
    if given is not None and len(given) != len(ones):
        raise Refused(f"the input {name} has {len(ones)} axes, not {len(given)}", kind="unsupported")
    free = [ports.BATCH if axis == 0 else f"{name}_{axis}" for axis in range(len(ones))]
    dims = [1 if one else dim for one, dim in zip(ones, given or free, strict=True)]
    sizes = params.get("dims", {})
    return [sizes.get(dim, dim) if isinstance(dim, str) else dim for dim in dims]


def _infer_shapes(graph: Graph) -> None:
    """What ONNX infers of the outputs' shapes, in place of names made up for each axis."""
    inferred = onnx.shape_inference.infer_shapes(graph.build(), data_prop=True)
    found = {value.name: value for value in inferred.graph.output}
    for port in graph.outputs:
        for axis, dim in enumerate(found[port["name"]].type.tensor_type.shape.dim):
            if dim.dim_value or dim.dim_param:
                port["shape"][axis] = dim.dim_value or dim.dim_param
