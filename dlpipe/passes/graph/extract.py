"""A part of the graph as a model of its own."""

import difflib
from typing import Any

import onnx
import onnx_ir as ir
from dlpipe_worker import Refused

from .infra import GraphPass, Rewritten, Work


class Extract(GraphPass):
    """Keep what lies between values: params["inputs"] and params["outputs"], names of values in the main graph.

        x -> Conv -> a -> Relu -> b -> Conv -> y        becomes, with inputs a, outputs b        a -> Relu -> b

    No inputs: those of the model that the outputs depend on; no outputs: those of the model. Neither: nothing is done.
    A value that an input of the part depends on may still be needed by another way; then the model's own inputs on that
    way stay inputs. The I/O contract follows; preprocessing goes where the inputs are no longer those that it feeds,
    labels where the outputs are not the model's. Refuses a name that is no value, an input that no output depends on,
    and values whose type is unknown or no tensor. Exact: for the same values the same outputs.
    Source: onnx.utils.extract_model, which needs a full cut.
    """

    changes_interface = True
    tidies_up = True

    def rewrite(self, model: ir.Model, work: Work) -> Rewritten:
        inputs, outputs = list(work.params["inputs"]), list(work.params["outputs"])
        if not inputs and not outputs:
            return Rewritten(model, [])
        graph, contract = model.graph, work.contract()
        known = _values(graph)
        outputs = outputs or [str(value.name) for value in graph.outputs]
        for name in (*inputs, *outputs):
            if name not in known:
                raise Refused(f"the graph has no value {name!r}", kind="unsupported", hint=_near(name, known))
        cut = [known[name] for name in dict.fromkeys(inputs)]
        ends = [known[name] for name in dict.fromkeys(outputs)]
        nodes, read = _needed(cut, ends)
        unread = [value for value in cut if value not in read]
        if unread:
            raise Refused(f"no output depends on {unread[0].name!r}", kind="unsupported", hint="leave it out")
        starts = [*cut, *(value for value in graph.inputs if value in read and value not in cut)]
        gone = [node for node in graph if node not in nodes]
        ports = {port["name"]: port for port in (*contract["inputs"], *contract["outputs"])}
        new = {
            **contract,
            "inputs": [_port(value, ports) for value in starts],
            "outputs": [_port(value, ports) for value in ends],
        }
        _adjust(new, contract)
        _cut(graph, starts, ends, gone)
        names = [", ".join(port["name"] for port in new[side]) for side in ("inputs", "outputs")]
        changes = [f"{len(gone)} nodes are left out, {len(nodes)} stay", f"from {names[0]} to {names[1]}"]
        return Rewritten(model, changes, contract=new)


def _values(graph: ir.Graph) -> dict[str, ir.Value]:
    """What is fed or computed; weights are neither."""
    found = {str(value.name): value for value in graph.inputs}
    return found | {str(value.name): value for node in graph for value in node.outputs if value.name}


def _near(name: str, known: dict[str, ir.Value]) -> str:
    close = difflib.get_close_matches(name, known, 3)
    return f"near it are {', '.join(close)}" if close else "`dlpipe inspect` and Netron show the names of values"


def _needed(cut: list[ir.Value], ends: list[ir.Value]) -> tuple[set[ir.Node], set[ir.Value]]:
    """The nodes that lie before `ends` and not before `cut`, and all values that are read on the way."""
    nodes: set[ir.Node] = set()
    read: set[ir.Value] = set(ends)
    waiting = list(ends)
    while waiting:
        value = waiting.pop()
        producer = value.producer()
        if value in cut or producer is None or producer in nodes:
            continue
        nodes.add(producer)
        for each in _reads(producer):
            read.add(each)
            waiting.append(each)
    return nodes, read


def _reads(node: ir.Node) -> set[ir.Value]:
    """Its inputs, and what graphs inside it take from around them."""
    found = {value for value in node.inputs if value is not None}
    for attribute in node.attributes.values():
        one = attribute.type == ir.AttributeType.GRAPH
        several = attribute.type == ir.AttributeType.GRAPHS
        for body in [attribute.value] if one else attribute.value if several else ():
            inside = {*body.inputs, *body.initializers.values()}
            taken: set[ir.Value] = set(body.outputs)
            for each in body:
                inside.update(each.outputs)
                taken |= _reads(each)
            found |= taken - inside
    return found


def _cut(graph: ir.Graph, starts: list[ir.Value], ends: list[ir.Value], gone: list[ir.Node]) -> None:
    """A value that becomes an input gets a place of its own: what made it is gone."""
    fresh = {}
    for value in starts:
        if value.producer() is None:
            fresh[value] = value
            continue
        made = ir.Value(name=value.name, type=value.type, shape=value.shape)
        value.replace_all_uses_with(made, replace_graph_outputs=True)
        fresh[value] = made
    graph.outputs.clear()
    graph.remove(gone, safe=False)
    for value, made in fresh.items():
        if made is not value:
            value.name = None
    graph.inputs.clear()
    graph.inputs.extend(fresh.values())
    graph.outputs.extend(fresh.get(value, value) for value in ends)
    for name, value in list(graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del graph.initializers[name]


def _port(value: ir.Value, ports: dict[str, Any]) -> dict[str, Any]:
    """As the contract has it, else by inference. A dim without a name gets one."""
    if value.name in ports:
        return dict(ports[value.name])
    if not isinstance(value.type, ir.TensorType) or value.dtype is None:
        raise Refused(f"the type of {value.name!r} is unknown, or no tensor's", kind="unsupported")
    names = [dim if isinstance(dim, int) else dim.value for dim in value.shape] if value.shape is not None else None
    shape = ["*"] if names is None else [f"{value.name}_{i}" if dim is None else dim for i, dim in enumerate(names)]
    dtype = "str" if value.dtype == ir.DataType.STRING else onnx.TensorProto.DataType.Name(int(value.dtype)).lower()
    return {"name": value.name, "dtype": {"float": "float32", "double": "float64"}.get(dtype, dtype), "shape": shape}


def _adjust(new: dict[str, Any], old: dict[str, Any]) -> None:
    """What the contract says beyond ports, of ports that are no longer there."""
    if new["inputs"] != old["inputs"]:
        new["preprocessing"] = []
    if new["outputs"] != old["outputs"]:
        new["labels"] = []
        names = {port["name"] for port in new["outputs"]}
        metadata = dict(old.get("metadata", {}))
        if "resolution" in metadata:
            metadata["resolution"] = {name: each for name, each in metadata["resolution"].items() if name in names}
        new["metadata"] = metadata
