"""A graph under way: of its values only those are in memory that a later node reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .graph import Graph, Opened, Values


class Running:
    """One execution of `graph` for several samples, node by node. `values`: name -> one value for each sample.

    `held`: how often each value is wanted by others than the graph's own nodes; `release` counts them down.
    """

    def __init__(
        self, graph: Graph, feeds: Mapping[str, list[Any]], count: int, nodes: Iterable[int], held: Counter[str]
    ) -> None:
        self.graph = graph
        self._count = count
        self._nodes = set(nodes)
        self._left = held + Counter(name for index in self._nodes for name in graph.reads[index])
        self.values: dict[str, list[Any]] = {name: each for name, each in feeds.items() if self._left[name]}
        self._done: set[int] = set()

    def given(self, index: int, sample: int) -> Values:
        return {name: self.values[name][sample] for name in self.graph.reads[index]}

    def ready(self, index: int) -> bool:
        return all(name in self.values for name in self.graph.reads[index])

    def results(self, index: int, node: Opened | None = None) -> dict[str, list[Any]]:
        """What the node makes of the values that are there. Raises Refused where it fails."""
        node = node or self.graph.opened(index, self.given(index, 0))
        found = [node.run(self.given(index, sample)) for sample in range(self._count)]
        return {name: [each[name] for each in found] for name in self.graph.made(index)}

    def put(self, name: str, value: list[Any]) -> None:
        """Keep it where it is wanted."""
        if self._left[name] > 0:
            self.values[name] = value

    def end(self, index: int) -> None:
        """The node is done with, whatever came of it."""
        self._done.add(index)
        for name in self.graph.reads[index]:
            self.release(name)

    def release(self, name: str) -> None:
        self._left[name] -= 1
        if self._left[name] <= 0:
            self.values.pop(name, None)

    def compute(self, name: str) -> list[Any]:
        """The value, and first what it depends on. Raises Refused where a node fails."""
        if name not in self.values:
            for index in self._missing(name):
                for made, value in self.results(index).items():
                    self.put(made, value)
                self.end(index)
        return self.values[name]

    def _missing(self, name: str) -> list[int]:
        """The nodes that must run before the value is there, in their order."""
        found: set[int] = set()
        waiting = [name]
        while waiting:
            index = self.graph.producer.get(waiting.pop())
            if index is not None and index not in found and index not in self._done:
                found.add(index)
                waiting += [each for each in self.graph.reads[index] if each not in self.values]
        return sorted(found)
