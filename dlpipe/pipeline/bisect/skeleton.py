"""What reads what in a graph, and where it can be cut."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.measure import skeleton_call
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


@dataclass(frozen=True, slots=True)
class Cut:
    """Behind the node number `index`: `values` are all that later nodes, or the user, still read."""

    index: int
    values: tuple[str, ...]


class Skeleton:
    """`nodes`: {"name", "op", "reads", "makes"}, in an order of execution."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.nodes: Sequence[Mapping[str, Any]] = value["nodes"]
        self.outputs: Sequence[str] = value["outputs"]
        self._floats = frozenset(value["floats"])
        self._maker = {name: index for index, node in enumerate(self.nodes) for name in node["makes"]}

    def cuts(self, only: Collection[str] | None = None) -> list[Cut]:
        """The last one is behind the last node, through the outputs. only: values that a cut may go through; by default
        all, of which those count that are float: what is not, sizes and indices, compilers hand out as they like."""
        last = {name: index for index, node in enumerate(self.nodes) for name in node["reads"]}
        live: dict[str, None] = {}
        found: list[Cut] = []
        for index, node in enumerate(self.nodes):
            live |= dict.fromkeys(node["makes"])
            live = {name: None for name in live if last.get(name, -1) > index or (name in self.outputs)}
            values = tuple(live) if only is not None else tuple(name for name in live if name in self._floats)
            whole = only is None or set(values) <= set(only)
            if values and whole and not (found and found[-1].values == values):
                found.append(Cut(index, values))
        if not found or found[-1].index != len(self.nodes) - 1:
            found.append(Cut(len(self.nodes) - 1, tuple(name for name in self.outputs if name in self._maker)))
        return found

    def between(self, inputs: Iterable[str], outputs: Iterable[str]) -> tuple[list[str], list[Mapping[str, Any]]]:
        """(those of `inputs` that `outputs` depend on, the nodes in between)."""
        given = set(inputs)
        read: set[str] = set()
        nodes: set[int] = set()
        waiting = list(outputs)
        while waiting:
            name = waiting.pop()
            if name in given:
                read.add(name)
                continue
            index = self._maker.get(name)
            if index is not None and index not in nodes:
                nodes.add(index)
                waiting += self.nodes[index]["reads"]
        return [name for name in inputs if name in read], [self.nodes[index] for index in sorted(nodes)]


def skeleton(session: Session, tree: str, name: str) -> Skeleton:
    """Of the graph in the folder `tree:<digest>`; name: tells several of a session apart."""
    outcome = session.executor.run([Stage(f"skeleton:{name}", "measure", skeleton_call(), {"ir": tree})])
    return Skeleton(outcome[f"skeleton:{name}"].value)
