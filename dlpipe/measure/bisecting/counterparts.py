"""Which value of the reference a value of the candidate is to be held against."""

from __future__ import annotations

from collections.abc import Mapping

from .graph import Graph

_SAME = ("Identity", "Cast")  # what a change of precision puts in between


def counterparts(reference: Graph, candidate: Graph, ports: Mapping[str, str]) -> dict[str, str]:
    """Candidate's value -> reference's. By name, since passes keep the names of values; what is quantised and brought
    back, or only cast, stands for what it was made of. `ports`: the candidate's inputs and outputs -> the reference's.
    """
    known = {*reference.inputs, *reference.producer}
    found = {name: ports[name] for name in candidate.inputs if name in ports}
    for index, node in enumerate(candidate.nodes):
        for name in candidate.made(index):
            if name in ports:
                found[name] = ports[name]
            elif name in known:
                found[name] = name
        output = node.output[0]
        if output in found or not node.input:
            continue
        source = _source(candidate, index)
        if source in found:
            found[output] = found[source]
    return found


def _source(graph: Graph, index: int) -> str | None:
    """What the value that this node makes stands for."""
    node = graph.nodes[index]
    if node.op_type in _SAME:
        return str(node.input[0])
    if node.op_type != "DequantizeLinear":
        return None
    maker = graph.producer.get(node.input[0])
    if maker is None or graph.nodes[maker].op_type != "QuantizeLinear":
        return None
    return str(graph.nodes[maker].input[0])
