"""The reference: a network evaluated frame by frame in float64, straight from its descriptors.

Kaldi itself cannot be installed here, so this is dlpipe's own reading of its documentation: it shares the formulas of
components.py with the import, and nothing of how that lays frames out, slices, pads and loops.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from . import statistics
from .importing import network
from .nnet import Expression

_MOST_DEPTH = 200_000


class Network(executing.Model):
    tool = "dlpipe's nnet3 interpreter"

    def __init__(self, request: Request) -> None:
        self.net, self.schedule, self.factor = network(request)

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = _deep(lambda: self._outputs(feeds))
        return found

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        def values() -> dict[str, Any]:
            evaluation = _Evaluation(self, feeds)
            found = {}
            for group in self.schedule.groups:
                for name in group:
                    if self.net.nodes[name].kind == "component" and name in self.schedule.spans:
                        found[name] = evaluation.all(name)
            return found

        layers: dict[str, Any] = _deep(values)
        return layers

    def _outputs(self, feeds: dict[str, Any]) -> dict[str, Any]:
        evaluation = _Evaluation(self, feeds)
        return {node.name: evaluation.all(node.name)[:: self.factor] for node in self.net.outputs}


class _Evaluation:
    def __init__(self, model: Network, feeds: dict[str, Any]) -> None:
        self.net, self.schedule = model.net, model.schedule
        self.feeds = {name: np.asarray(value, np.float64) for name, value in feeds.items()}
        moving = [len(value) for name, value in self.feeds.items() if name not in self.schedule.steady]
        self.frames = moving[0] if moving else 1
        if self.schedule.pools:  # what contexts take away is not there
            first, last = min(self.schedule.spans.values())[0], max(span[1] for span in self.schedule.spans.values())
            self.start, self.frames = -first, self.frames + first - last
            if self.frames < 1:
                raise Refused("the utterance is shorter than the network's context")
        else:
            self.start = 0
        self.known: dict[tuple[str, int], Any] = {}

    def all(self, name: str) -> Any:
        """[frames, dim] over the node's span."""
        if name in self.schedule.steady:
            return np.stack([self.value(name, 0)])
        first, last = self.schedule.spans[name]
        return np.stack([self.value(name, time) for time in range(first, self.frames + last)])

    def value(self, name: str, time: int) -> Any:
        time = 0 if name in self.schedule.steady else time
        if (name, time) not in self.known:
            self.known[name, time] = self._compute(name, time)
        return self.known[name, time]

    def _compute(self, name: str, time: int) -> Any:
        node = self.net.nodes[name]
        if node.kind == "input":
            rows = self.feeds[name]
            return rows[min(max(time + self.start, 0), len(rows) - 1)]
        assert node.reads is not None
        if node.component is not None and statistics.pools(node):
            frames = [self.read(node.reads, each) for each in range(self.frames)]
            return statistics.apply(node.component, np.stack(frames))
        if node.component is not None and not statistics.knows(node.component):
            function = self.schedule.functions[name]
            return function.apply(np.concatenate([self.read(node.reads, time + each) for each in function.times]))
        value = self.read(node.reads, time)
        return value[node.offset : node.offset + node.dim] if node.kind == "range" else value

    def read(self, expression: Expression, time: int) -> Any:
        parts = expression.parts
        match expression.op:
            case "node":
                return self.value(expression.name, time)
            case "const":
                return np.full(expression.dim, expression.number)
            case "append":
                return np.concatenate([self.read(part, time) for part in parts])
            case "sum":
                return np.sum([self.read(part, time) for part in parts], axis=0)
            case "scale":
                return expression.number * self.read(parts[0], time)
            case "offset":
                return self.read(parts[0], time + int(expression.number))
            case "defined":
                return self._if_defined(parts[0], time)
            case _:  # replace, round: of what is the same for all frames
                return self.read(parts[0], time)

    def _if_defined(self, part: Expression, time: int) -> Any:
        while part.op == "offset":
            time, part = time + int(part.number), part.parts[0]
        if part.op != "node":
            return self.read(part, time)
        first, last = self.schedule.spans[part.name]
        if part.name not in self.schedule.steady and not first <= time < self.frames + last:
            return np.zeros(self.schedule.dims[part.name])
        return self.value(part.name, time)


def _deep(work: Callable[[], Any]) -> Any:
    """With a stack that a loop over thousands of frames fits on: values ask for those of the frame before."""
    found: list[Any] = []
    limit = sys.getrecursionlimit()
    before = threading.stack_size(512 << 20)
    try:
        sys.setrecursionlimit(_MOST_DEPTH)

        def run() -> None:
            try:
                found.append(work())
            except Refused as error:
                found.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
        sys.setrecursionlimit(limit)
    if found and isinstance(found[0], Refused):
        raise found[0]
    return found[0]


def open_model(request: Request, _contract: Any, _threads: int | None) -> Network:
    return Network(request)
