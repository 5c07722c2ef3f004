"""Small tools on ONNX graphs: who makes what, renaming, and removing what nobody needs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

OnnxGraph = Any
OnnxNode = Any


def subgraphs(node: OnnxNode) -> Iterator[OnnxGraph]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def all_graphs(graph: OnnxGraph) -> Iterator[OnnxGraph]:
    """The graph, and the loop bodies and branches in it."""
    waiting = [graph]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(body for node in current.node for body in subgraphs(node))


def all_nodes(graph: OnnxGraph) -> Iterator[OnnxNode]:
    """Every node, those of loop bodies and branches included."""
    for each in all_graphs(graph):
        yield from each.node


def reads(node: OnnxNode) -> set[str]:
    """What a node reads from the graph it stands in, captures of its bodies included."""
    found = {name for name in node.input if name}
    for body in subgraphs(node):
        found |= captures(body)
    return found


def captures(body: OnnxGraph) -> set[str]:
    """What a body reads from outside."""
    own = defined(body)
    inner: set[str] = {output.name for output in body.output}
    for node in body.node:
        inner |= reads(node)
    return inner - own


def defined(graph: OnnxGraph) -> set[str]:
    names = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    return names | {name for node in graph.node for name in node.output if name}


def rename_reads(node: OnnxNode, renamed: Mapping[str, str]) -> None:
    """Make a node, and the bodies in it, read other tensors. A body's own names hide those outside."""
    for position, name in enumerate(node.input):
        node.input[position] = renamed.get(name, name)
    for body in subgraphs(node):
        own = defined(body)
        visible = {old: new for old, new in renamed.items() if old not in own}
        for inner in body.node:
            rename_reads(inner, visible)
        for output in body.output:
            output.name = visible.get(output.name, output.name)


def rename_tensors(graph: OnnxGraph, renamed: Mapping[str, str]) -> None:
    """Give tensors of the top graph other names, wherever they stand."""
    for node in graph.node:
        rename_reads(node, renamed)
        for position, name in enumerate(node.output):
            node.output[position] = renamed.get(name, name)
    for value in [*graph.input, *graph.output, *graph.value_info, *graph.initializer]:
        value.name = renamed.get(value.name, value.name)


def order_of_need(graph: OnnxGraph, wanted: Iterable[str] | None = None) -> list[int]:
    """Positions of the nodes that `wanted` (by default the outputs) need, depth first: each after what it reads."""
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    order: list[int] = []
    done: set[int] = set()
    for root in wanted if wanted is not None else [output.name for output in graph.output]:
        stack = [(maker[root], False)] if root in maker else []
        while stack:
            index, complete = stack.pop()
            if complete:
                order.append(index)
            elif index not in done:
                done.add(index)
                stack.append((index, True))
                sources = [maker[name] for name in ordered_reads(graph.node[index]) if name in maker]
                stack.extend((source, False) for source in reversed(sources) if source not in done)
    return order


def ordered_reads(node: OnnxNode) -> dict[str, None]:
    """What a node reads, its inputs first, then what its bodies capture, in the order in which they need it."""
    found = dict.fromkeys(name for name in node.input if name)
    for body in subgraphs(node):
        own = defined(body)
        inner = [name for index in order_of_need(body) for name in ordered_reads(body.node[index])]
        found.update(dict.fromkeys(n for n in [*inner, *(value.name for value in body.output)] if n not in own))
    return found


def needed_nodes(nodes: Iterable[OnnxNode], wanted: Iterable[str]) -> list[OnnxNode]:
    """Those of the (sorted) nodes that the tensors `wanted` depend on, in order."""
    live = set(wanted)
    kept = []
    for node in reversed(list(nodes)):
        if any(name in live for name in node.output):
            kept.append(node)
            live |= reads(node)
    return kept[::-1]


def prune(graph: OnnxGraph) -> None:
    """Drop nodes, weights and shape notes that no output depends on."""
    kept = needed_nodes(graph.node, [output.name for output in graph.output])
    live = {output.name for output in graph.output}.union(*(reads(node) for node in kept))
    replace(graph.node, kept)
    replace(graph.initializer, [tensor for tensor in graph.initializer if tensor.name in live])
    made = {name for node in kept for name in node.output}
    outputs = {output.name for output in graph.output}
    replace(graph.value_info, [value for value in graph.value_info if value.name in made - outputs])


def replace(field: Any, items: Iterable[Any]) -> None:
    """Set a repeated protobuf field, whose items may be taken from that very field."""
    copies = []
    for item in items:  # copied: clearing the field ends the life of its own
        copy = type(item)()
        copy.CopyFrom(item)
        copies.append(copy)
    del field[:]
    field.extend(copies)
