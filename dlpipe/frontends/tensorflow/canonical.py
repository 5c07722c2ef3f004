"""One spelling for one graph: the same model must give the same bytes, on every run and in every process.

tf2onnx numbers the tensors it makes by a global counter, as TensorFlow does the functions it freezes, names some after
memory addresses (`einsum1397...`), and keeps whichever of several equal constants it meets first. Here such names are
made anew from the structure alone, and nodes are put in the order in which the outputs need them. Names that come from
the TensorFlow graph stay.
"""

import re
from typing import Any

from .loop_ports import arrange
from .onnx_graph import (
    OnnxGraph,
    OnnxNode,
    all_graphs,
    all_nodes,
    captures,
    order_of_need,
    ordered_reads,
    rename_reads,
    rename_tensors,
    replace,
    subgraphs,
)

_MADE = re.compile(r"__\d+|(?<=einsum)\d+|(?<=_frozen)_\d+")


def canonicalise(graph: OnnxGraph) -> None:
    """Change the order and the generated names of a graph, and of the bodies in it, in place."""
    for each in all_graphs(graph):
        _drop_identities(each)
    arrange(graph)
    for each in all_graphs(graph):
        _drop_identities(each)  # again: of two equal results of a loop, the first is the one to keep
        _drop_dim_names(each)
        replace(each.node, [each.node[index] for index in order_of_need(each)])
        _merge_equal_weights(each)
    ports = {value.name for value in [*graph.input, *graph.output]}
    names = {name for each in all_graphs(graph) for name in _tensor_names(each)}
    nodes = {node.name for node in all_nodes(graph)}
    taken = (ports | {name for name in names if not _MADE.search(name)}, {n for n in nodes if not _MADE.search(n)})
    _rename_made(graph, ports, *taken)


def _rename_made(graph: OnnxGraph, ports: set[str], taken: set[str], taken_by_nodes: set[str]) -> None:
    """New names for what tf2onnx named, in the order in which it is needed; then in the bodies."""
    renamed: dict[str, str] = {}
    weights = {tensor.name for tensor in graph.initializer}
    inputs, outputs = ([value.name for value in values] for values in (graph.input, graph.output))
    inside = [name for node in graph.node for name in (*(n for n in ordered_reads(node) if n in weights), *node.output)]
    for name in [*inputs, *inside, *(name for name in outputs if name in weights)]:
        if name and name not in ports and name not in renamed and _MADE.search(name):
            renamed[name] = _unused("const" if name in weights else _MADE.sub("", name), taken)
    rename_tensors(graph, renamed)
    for node in graph.node:
        if _MADE.search(node.name):
            node.name = _unused(_MADE.sub("", node.name), taken_by_nodes)
        for body in subgraphs(node):
            body.name = node.name
            _rename_made(body, set(), taken, taken_by_nodes)
    replace(graph.initializer, sorted(graph.initializer, key=lambda tensor: tensor.name))


def _drop_dim_names(graph: OnnxGraph) -> None:
    """Free dims of what bodies take and return are named by a counter, each once: the names say nothing."""
    for value in [*graph.input, *graph.output]:
        for dim in value.type.tensor_type.shape.dim:
            if _MADE.search(dim.dim_param):
                dim.ClearField("dim_param")


def _drop_identities(graph: OnnxGraph) -> None:
    """Read past every Identity. Which of its two names the tensor keeps must not depend on how tf2onnx placed it.

    An Identity stays where it ties an output to an input, a weight or another output.
    """
    outputs = [value.name for value in graph.output]
    fixed = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer} | captures(graph)
    root: dict[str, str] = {}
    same: dict[str, list[str]] = {}
    for node in graph.node:
        if node.op_type == "Identity":
            root[node.output[0]] = root.get(node.input[0], node.input[0])
            same.setdefault(root[node.output[0]], []).append(node.output[0])
    renamed: dict[str, str] = {}
    ties: dict[str, str] = {}  # output -> the tensor that it repeats
    for source, copies in same.items():
        names = [source, *copies]
        shown = [name for name in outputs if name in names]
        kept = source if source in fixed else min(shown or names, key=_preference)
        ties.update({name: kept for name in shown if name != kept})
        renamed.update({name: kept for name in names if name not in shown and name != kept})
        if source in shown and source != kept:
            renamed[source] = kept
    nodes = []
    for node in graph.node:
        if node.op_type != "Identity":
            rename_reads(node, {**renamed, **ties})
            node.output[:] = [renamed.get(name, name) for name in node.output]
            nodes.append(node)
        elif node.output[0] in ties:
            node.input[0] = ties[node.output[0]]
            node.name = node.output[0]
            nodes.append(node)
    for output, kept in ties.items():
        if not any(output in node.output for node in nodes):
            nodes.append(_identity(kept, output))
    replace(graph.node, nodes)


def _preference(name: str) -> tuple[bool, str]:
    """Names of the original first. Of generated names the number says nothing."""
    return bool(_MADE.search(name)), _MADE.sub("", name)


def _identity(source: str, output: str) -> OnnxNode:
    from onnx import helper

    return helper.make_node("Identity", [source], [output], name=output)


def _merge_equal_weights(graph: OnnxGraph) -> None:
    """Constants with generated names and equal content become one."""
    first: dict[bytes, str] = {}
    renamed: dict[str, str] = {}
    kept = []
    for tensor in graph.initializer:
        content = _content(tensor) if _MADE.search(tensor.name) else None
        if content is not None and content in first:
            renamed[tensor.name] = first[content]
            continue
        if content is not None:
            first[content] = tensor.name
        kept.append(tensor)
    replace(graph.initializer, kept)
    rename_tensors(graph, renamed)


def _content(tensor: Any) -> bytes:
    from onnx import numpy_helper

    value = numpy_helper.to_array(tensor)
    return repr((tensor.data_type, value.shape)).encode() + bytes(value.tobytes())


def _tensor_names(graph: OnnxGraph) -> set[str]:
    inputs = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return inputs | {name for node in graph.node for name in node.output}


def _unused(base: str, taken: set[str]) -> str:
    base = base or "made"
    name, number = base, 0
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name
