"""One spelling for one graph: the same model must give the same bytes, on every run and in every process.

tf2onnx numbers the tensors it makes by a global counter, names some after memory addresses (`einsum1397...`), and keeps
whichever of several equal constants it meets first. Here such names are made anew from the structure alone, and nodes
are put in the order in which the outputs need them. Names that come from the TensorFlow graph stay.
"""

import re
from typing import Any

from .onnx_graph import OnnxGraph, OnnxNode, reads, rename_tensors, replace

_MADE = re.compile(r"__\d+|(?<=einsum)\d+")


def canonicalise(graph: OnnxGraph) -> None:
    """Change the order and the generated names of a graph in place."""
    replace(graph.node, _in_order_of_need(graph))
    _merge_equal_weights(graph)
    ports = {value.name for value in [*graph.input, *graph.output]}
    taken = {*ports, *(name for name in _tensor_names(graph) if not _MADE.search(name))}
    renamed: dict[str, str] = {}
    weights = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        for name in [*sorted(reads(node) & weights, key=list(_ordered_reads(node)).index), *node.output]:
            if name and name not in ports and name not in renamed and _MADE.search(name):
                renamed[name] = _unused("const" if name in weights else _MADE.sub("", name), taken)
    rename_tensors(graph, renamed)
    nodes = {node.name for node in graph.node if not _MADE.search(node.name)}
    for node in graph.node:
        if _MADE.search(node.name):
            node.name = _unused(_MADE.sub("", node.name), nodes)
    replace(graph.initializer, sorted(graph.initializer, key=lambda tensor: tensor.name))


def _in_order_of_need(graph: OnnxGraph) -> list[OnnxNode]:
    """Depth first from the outputs, without recursion: every node follows what it reads."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    done: set[int] = set()
    for output in graph.output:
        stack = [(maker[output.name], False)] if output.name in maker else []
        while stack:
            index, complete = stack.pop()
            if complete:
                order.append(index)
            elif index not in done:
                done.add(index)
                stack.append((index, True))
                sources = [maker[name] for name in _ordered_reads(graph.node[index]) if name in maker]
                stack.extend((source, False) for source in reversed(sources) if source not in done)
    return [graph.node[index] for index in order]


def _ordered_reads(node: OnnxNode) -> dict[str, None]:
    """What a node reads, its inputs first, then what its bodies capture."""
    inputs = [name for name in node.input if name]
    return dict.fromkeys([*inputs, *sorted(reads(node) - set(inputs))])


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
    return {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}


def _unused(base: str, taken: set[str]) -> str:
    base = base or "made"
    name, number = base, 0
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name)
    return name
