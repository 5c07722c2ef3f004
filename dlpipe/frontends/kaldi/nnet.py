"""An nnet3 network as a graph: nodes, and the descriptors by which they read each other over time.

Descriptors and nodes as on Kaldi's public page "The nnet3 setup: data types" (Append, Sum, Offset, IfDefined, Failover,
Scale, Const, ReplaceIndex, Round, Switch).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dlpipe_worker import Refused

from . import reading
from .reading import Component

_DEEPEST = 64


@dataclass(frozen=True)
class Expression:
    """`op`: "node" (name), "append", "sum", "offset" (number: frames), "defined", "failover", "scale" (number), "const"
    (number: value, dim), "replace" (number: the fixed time) or "round" (number: the period)."""

    op: str
    parts: tuple[Expression, ...] = ()
    name: str = ""
    number: float = 0.0
    dim: int = 0

    def nodes(self) -> Iterator[str]:
        if self.op == "node":
            yield self.name
        for part in self.parts:
            yield from part.nodes()


@dataclass(frozen=True)
class Node:
    """`kind`: "input" (dim), "component", "range" (of another node: offset, dim) or "output"."""

    name: str
    kind: str
    reads: Expression | None = None
    component: Component | None = None
    dim: int = 0
    offset: int = 0


@dataclass
class Net:
    nodes: dict[str, Node] = field(default_factory=dict)  # in the order of the file

    @property
    def inputs(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "input"]

    @property
    def outputs(self) -> list[Node]:
        return [node for node in self.nodes.values() if node.kind == "output"]


def load(path: Path) -> Net:
    """Raises Refused for what is not a whole network."""
    lines, components = reading.read(path)
    net = Net()
    for line in lines:
        kind, _, rest = line.partition(" ")
        settings = _settings(rest)
        if kind not in _KINDS:
            raise Refused(f"the network's description has a line of the unknown kind {kind[:40]!r}", kind="unsupported")
        try:
            node = _KINDS[kind](settings, components)
        except KeyError as error:
            raise Refused(f"the line {line[:120]!r} lacks {error}") from None
        except ValueError as error:
            raise Refused(f"the line {line[:120]!r} cannot be read: {error}") from None
        if node.name in net.nodes:
            raise Refused(f"two nodes are called {node.name}", node=node.name)
        net.nodes[node.name] = node
    _check(net)
    return net


def _settings(text: str) -> dict[str, str]:
    """`name=x input=Append(a, b) dim=3` -> its parts: a value goes on to the next `word=`."""
    marks = list(re.finditer(r"(?:^|\s)([a-z-]+)=", text))
    ends = [*(mark.start() for mark in marks[1:]), len(text)][: len(marks)]
    return {mark[1]: text[mark.end() : end].strip() for mark, end in zip(marks, ends, strict=True)}


def _component_node(settings: dict[str, str], components: dict[str, Component]) -> Node:
    name, wanted = settings["name"], settings["component"]
    if wanted not in components:
        raise Refused(f"the node {name} uses the component {wanted}, which the file does not hold", node=name)
    return Node(name, "component", parse(settings["input"]), components[wanted])


_KINDS: dict[str, Callable[[dict[str, str], dict[str, Component]], Node]] = {
    "input-node": lambda s, _: Node(s["name"], "input", dim=int(s["dim"])),
    "component-node": _component_node,
    "dim-range-node": lambda s, _: Node(
        s["name"], "range", Expression("node", name=s["input-node"]), None, int(s["dim"]), int(s["dim-offset"])
    ),
    "output-node": lambda s, _: Node(s["name"], "output", parse(s["input"])),
}


def parse(text: str) -> Expression:
    """A descriptor. Raises Refused."""
    words = list(reading.tokens(text))
    found, rest = _parse(words, 0, 0)
    if rest != len(words):
        raise Refused(f"{' '.join(words[rest : rest + 4])!r} is left over in the descriptor {text[:80]!r}")
    return found


def _parse(words: list[str], at: int, depth: int) -> tuple[Expression, int]:
    if at >= len(words) or depth > _DEEPEST:
        raise Refused("a descriptor ends too early, or is nested too deep")
    word = words[at]
    if at + 1 >= len(words) or words[at + 1] != "(":
        return Expression("node", name=word), at + 1
    arguments: list[Expression] = []
    at += 2
    while True:
        argument, at = _parse(words, at, depth + 1)
        arguments.append(argument)
        if at >= len(words) or words[at] not in (",", ")"):
            raise Refused(f"{word}(...) in a descriptor is not closed")
        at += 1
        if words[at - 1] == ")":
            return _make(word, arguments), at


def _make(word: str, arguments: list[Expression]) -> Expression:
    count = len(arguments)
    if word in ("Append", "Sum"):
        return Expression(word.lower(), tuple(arguments))
    if word == "IfDefined" and count == 1:
        return Expression("defined", tuple(arguments))
    if word == "Failover" and count == 2:
        return Expression("failover", tuple(arguments))
    if word == "Offset" and count in (2, 3):
        if count == 3 and _number(arguments[2]) != 0:
            raise Refused("Offset over x is not handled", kind="unsupported", op=word)
        return Expression("offset", (arguments[0],), number=_number(arguments[1]))
    if word == "Scale" and count == 2:
        return Expression("scale", (arguments[1],), number=_number(arguments[0]))
    if word == "Const" and count == 2:
        return Expression("const", number=_number(arguments[0]), dim=int(_number(arguments[1])))
    if word == "ReplaceIndex" and count == 3 and arguments[1].name == "t":
        return Expression("replace", (arguments[0],), number=_number(arguments[2]))
    if word == "Round" and count == 2 and _number(arguments[1]) >= 1:
        return Expression("round", (arguments[0],), number=_number(arguments[1]))
    raise Refused(f"the descriptor {word} with {count} arguments is not handled", kind="unsupported", op=word)


def _number(word: Expression) -> float:
    try:
        return float(word.name)
    except ValueError:
        raise Refused(f"{word.name[:40]!r} stands in a descriptor where a number should") from None


def _check(net: Net) -> None:
    if not net.inputs or not net.outputs:
        raise Refused("the network has no input node" if not net.inputs else "the network has no output node")
    for node in net.nodes.values():
        for name in node.reads.nodes() if node.reads else ():
            if name not in net.nodes or net.nodes[name].kind == "output":
                raise Refused(f"the node {node.name} reads {name}, which there is none of", node=node.name)
