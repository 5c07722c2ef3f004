"""What an exporter wrote, made ours: names of the original, no traces of this machine, dims as settled."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import onnx
from dlpipe_worker import Refused

_SCOPES = "pkg.torch.onnx.name_scopes"


def clean(model: Any, inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Name inputs, outputs and nodes; drop notes of the exporter, which hold paths and stack traces."""
    graph = model.graph
    if len(graph.output) != len(outputs):
        raise Refused(f"the exporter made {len(graph.output)} outputs of {len(outputs)}", kind="unsupported")
    fed = [each for each in graph.input if each.name not in {tensor.name for tensor in graph.initializer}]
    if len(fed) == len(inputs):
        _rename(graph, {each.name: name for each, name in zip(fed, inputs, strict=True)})
    elif not {each.name for each in fed} <= set(inputs):
        raise Refused(f"the exporter made {len(fed)} inputs of {len(inputs)}", kind="unsupported")
    _rename(graph, {each.name: name for each, name in zip(graph.output, outputs, strict=True)})
    taken: dict[str, int] = {}
    for node in graph.node:
        base = _layer(node)
        taken[base] = taken.get(base, -1) + 1
        node.name = f"{base}_{taken[base]}" if taken[base] else base
    for message in _messages(graph):
        message.ClearField("metadata_props")
        message.ClearField("doc_string")
    model.ClearField("metadata_props")
    model.ClearField("doc_string")
    graph.name = "model"
    graph.ClearField("value_info")
    graph.ClearField("quantization_annotation")
    model.producer_name, model.producer_version = "pytorch", model.producer_version


def _layer(node: Any) -> str:
    """`layer1.0.conv1/conv2d`: the module in the original, and the operator; else the exporter's own name."""
    scopes = next((each.value for each in node.metadata_props if each.key == _SCOPES), None)
    if scopes:
        try:
            path = [str(each) for each in ast.literal_eval(scopes)]
        except (ValueError, SyntaxError):
            path = []
        module = next((each for each in reversed(path[:-1]) if each), "")
        module = module.removeprefix("model.") if module != "model" else ""
        if path:
            return f"{module}/{node.op_type}" if module else node.op_type
    name = node.name.removeprefix("/model/").removeprefix("/")
    return re.sub(r"^node_", "", name) or node.op_type


def _messages(graph: Any) -> Iterator[Any]:
    """Everything that may carry notes, graphs in attributes included."""
    yield graph
    for part in (graph.node, graph.input, graph.output, graph.initializer):
        yield from part
    for node in graph.node:
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                yield from _messages(inner)


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    """Values, in graphs of attributes too. A new name that another value has is given to it alone."""
    names = {old: new for old, new in names.items() if old != new}
    if not names:
        return
    made = {name for node in graph.node for name in node.output} | {each.name for each in graph.initializer}
    clash = {new: f"{new}_inner" for new in names.values() if new in made and new not in names}
    _apply(graph, {**clash, **names})


def _apply(graph: Any, names: Mapping[str, str]) -> None:
    for each in (*graph.input, *graph.output, *graph.initializer):
        each.name = names.get(each.name, each.name)
    for node in graph.node:
        for part in (node.input, node.output):
            for index, name in enumerate(part):
                part[index] = names.get(name, name)
        for attribute in node.attribute:
            for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                _apply(inner, names)


def set_dims(model: Any, chosen: Mapping[str, int | str]) -> None:
    """Symbolic dims of inputs and outputs: a number, or another name."""
    for each in (*model.graph.input, *model.graph.output):
        for dim in each.type.tensor_type.shape.dim:
            value = chosen.get(dim.dim_param)
            if isinstance(value, int):
                dim.dim_value = value
            elif isinstance(value, str):
                dim.dim_param = value


def infer_outputs(model: Any) -> None:
    """Output dims that follow from the inputs' shapes, but which the exporter left open."""
    inferred = onnx.shape_inference.infer_shapes(model, data_prop=True)
    for each, found in zip(model.graph.output, inferred.graph.output, strict=True):
        known = found.type.tensor_type.shape.dim
        for dim, other in zip(each.type.tensor_type.shape.dim, known, strict=False):
            if dim.dim_param and other.HasField("dim_value"):
                dim.dim_value = other.dim_value


def keep_outputs(model: Any, chosen: Sequence[str]) -> None:
    """Only these, in this order; what they do not need goes. Raises Refused."""
    by_name = {each.name: each for each in model.graph.output}
    if unknown := [name for name in chosen if name not in by_name]:
        raise Refused(
            f"there is no output {unknown[0]!r}", kind="unsupported", hint=f"the outputs are {', '.join(by_name)}"
        )
    kept = [by_name[name] for name in chosen]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    needed = set(chosen)
    nodes = []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(_reads(node))
    nodes.reverse()
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    for part in (model.graph.initializer, model.graph.input):
        left = [each for each in part if each.name in needed]
        del part[:]
        part.extend(left)


def _reads(node: Any) -> Iterator[str]:
    """What a node needs, by the graphs in its attributes too."""
    yield from node.input
    for attribute in node.attribute:
        for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
            for each in inner.node:
                yield from _reads(each)
            yield from (each.name for each in inner.output)
