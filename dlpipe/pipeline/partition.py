"""A graph in parts for two backends: what the first cannot do on the target is cut out and goes to the second.

The parts are a chain. Each has the number of the longest way to it that changes sides, so values only ever go forward:

    Conv - Relu - NonZero - Gather - Conv        Conv Relu | NonZero | Gather Conv
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.contracts.backend import Backend, Refusal, Target
from dlpipe.errors import Unsupported
from dlpipe.pipeline.preflight import refusals

MAX_PARTS = 8  # values that go from one runtime to the next are copied: beyond that, the fallback alone is better
_SHOWN = 3  # nodes that a part is told by
_LISTED = 2000  # nodes at most, which the describe operation names

Node = Mapping[str, Any]  # as the describe operation says it


@dataclass(frozen=True, slots=True)
class Part:
    """`variant` is what this backend calls the precision; `nodes` are names, in order (the operator of one without)."""

    backend: Backend
    variant: str
    nodes: tuple[str, ...]
    operators: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def __str__(self) -> str:
        """For people: "ncnn (12 nodes)", "onnxruntime (If_0)"."""
        few = len(self.nodes) <= _SHOWN
        return f"{self.backend.name} ({', '.join(self.nodes) if few else f'{len(self.nodes)} nodes'})"


def partition(
    tool: Backend, fallback: Backend, target: Target, variant: str, model: Mapping[str, Any], found: Sequence[Refusal]
) -> tuple[Part, ...]:
    """`model` is what the describe operation says of the IR that `tool` would compile, `found` why it does not: what
    pre-flight says, or the compiler itself said.

    Raises Unsupported where the graph does not cut cleanly, or the fallback cannot do its side either.
    """
    nodes: Sequence[Node] = model["nodes"]
    if len(nodes) >= _LISTED:
        raise Unsupported(f"graphs of {_LISTED:,} nodes and more are not cut into parts")
    precision = tool.ir_variant(variant)
    if fallback.name == tool.name or precision not in fallback.variants(target):
        raise Unsupported(f"{fallback.name} makes no {precision} of what {tool.name} leaves to it")
    away = _with_truths(nodes, _all_refused(tool, target, variant, model, found))
    moving = _moving(model, away)
    flowing = {name for place in moving for name in _writes(nodes[place])} | {each["name"] for each in model["inputs"]}
    if stored := [each["name"] for each in model["outputs"] if each["name"] not in flowing]:
        raise Unsupported(f"its output {stored[0]} is a constant")
    parts = [
        _part(fallback, precision, inside, model, flowing)
        if inside[0] in away
        else _part(tool, variant, inside, model, flowing)
        for inside in _chain(nodes, moving, away)
    ]
    if not any(each.backend is tool for each in parts):
        raise Unsupported(f"nothing of it is left for {tool.name}")
    if len(parts) > MAX_PARTS:
        raise Unsupported(f"it would take {len(parts)} parts, and more than {MAX_PARTS} are not made")
    for each in parts:
        if each.backend is fallback and (refused := refusals(fallback, target, precision, _part_of(model, each))):
            raise Unsupported(f"{fallback.name} cannot do it either: {refused[0]}")
    return tuple(parts)


def _part_of(model: Mapping[str, Any], part: Part) -> Mapping[str, Any]:
    return {**model, "operators": part.operators}


def _all_refused(
    tool: Backend, target: Target, variant: str, model: Mapping[str, Any], found: Sequence[Refusal]
) -> set[int]:
    """Places of the nodes that `tool` does not take: a refusal may name one, and with that gone there may be others."""
    nodes: Sequence[Node] = model["nodes"]
    away: set[int] = set()
    while found:
        for each in found:
            places = {place for place, node in enumerate(nodes) if place not in away and _is_meant(node, each)}
            if not places:
                raise Unsupported(f"that is no matter of single nodes of the main graph: {each.reason}")
            away |= places
        rest = [node for place, node in enumerate(nodes) if place not in away]
        found = refusals(tool, target, variant, {**model, "nodes": rest, "operators": _operators(rest)})
    return away


def _with_truths(nodes: Sequence[Node], away: set[int]) -> set[int]:
    """And the nodes that give truth values to them or take some of theirs, and so on: a number crosses to any runtime,
    and several of them (ncnn, OpenCV) take no truth value."""
    makers = {each["name"]: place for place, node in enumerate(nodes) for each in node["outputs"]}
    shared = [
        {place, makers[each["name"]]}
        for place, node in enumerate(nodes)
        for each in node["inputs"]
        if each.get("dtype") == "bool" and each["name"] in makers
    ]
    found = set(away)
    while growing := [pair for pair in shared if len(pair & found) == 1]:
        found.update(*growing)
    return found


def _is_meant(node: Node, refusal: Refusal) -> bool:
    if refusal.node is not None:
        return bool(node["name"] == refusal.node)
    return refusal.op is not None and refusal.op in _operators([node])


def _operators(nodes: Sequence[Node]) -> Counter[str]:
    """With those of graphs inside them."""
    return Counter(op for node in nodes for op in (node["op"], *node.get("bodies", {}).get("operators", ())))


def _reads(node: Node) -> Iterator[str]:
    """Its inputs, and what graphs inside it take from around them."""
    yield from (each["name"] for each in node["inputs"] if each["name"])
    yield from node.get("bodies", {}).get("reads", ())


def _chain(nodes: Sequence[Node], moving: Sequence[int], away: Collection[int]) -> list[list[int]]:
    """The places of each part's nodes: of one side all, or of the other."""
    made = {name: place for place in moving for name in _writes(nodes[place])}
    tries = [_numbered(nodes, moving, made, {place for place in moving if (place in away) == odd}) for odd in (1, 0)]
    numbers = min(tries, key=lambda found: len(set(found.values())))
    parts: dict[int, list[int]] = {}
    for place in moving:
        parts.setdefault(numbers[place], []).append(place)
    return [parts[number] for number in sorted(parts)]


def _numbered(
    nodes: Sequence[Node], moving: Sequence[int], made: Mapping[str, int], odd: Collection[int]
) -> dict[int, int]:
    """Place -> number of its part, as early as what it reads allows; the numbers of one side are odd."""
    numbers: dict[int, int] = {}
    for place in moving:
        least = max((numbers[made[name]] for name in _reads(nodes[place]) if name in made), default=0)
        numbers[place] = least + ((least % 2 == 1) != (place in odd))
    return numbers


def _moving(model: Mapping[str, Any], away: Collection[int]) -> list[int]:
    """Places of the nodes that outputs of the model need and that depend on more than constants, or must not be
    doubled: those that are refused, and those whose result is the model's. The others are in no part: each gets those
    that it reads."""
    nodes: Sequence[Node] = model["nodes"]
    results = {each["name"] for each in model["outputs"]}
    needed = set(results)
    live = set()
    for place in reversed(range(len(nodes))):
        if not needed.isdisjoint(_writes(nodes[place])):
            live.add(place)
            needed.update(_reads(nodes[place]))
    changing = {each["name"] for each in model["inputs"]}
    found = []
    for place in sorted(live):
        node, written = nodes[place], _writes(nodes[place])
        single = place in away or not results.isdisjoint(written) or node["op"].startswith("Random")
        if single or not changing.isdisjoint(_reads(node)):
            changing.update(written)
            found.append(place)
    return found


def _writes(node: Node) -> list[str]:
    return [each["name"] for each in node["outputs"] if each["name"]]


def _part(
    tool: Backend, variant: str, places: Sequence[int], model: Mapping[str, Any], flowing: Collection[str]
) -> Part:
    inside = [model["nodes"][place] for place in places]
    others = [node for place, node in enumerate(model["nodes"]) if place not in set(places)]
    written = [name for node in inside for name in _writes(node)]
    wanted = {each["name"] for each in model["outputs"]} | {name for node in others for name in _reads(node)}
    read = dict.fromkeys(name for node in inside for name in _reads(node) if name in flowing)
    return Part(
        backend=tool,
        variant=variant,
        nodes=tuple(str(node["name"] or node["op"]) for node in inside),
        operators=_operators(inside),
        inputs=tuple(name for name in read if name not in written),
        outputs=tuple(name for name in written if name in wanted),
    )
