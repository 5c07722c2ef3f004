"""An nnet3 network -> ONNX: one value per node, a matrix [frames, dim] over the node's span (see schedule.py).

Like nnet3-compute, the model repeats the first and last frame of its input where context reaches beyond them, and gives
one row for every frame (or every n-th: `frame_subsampling_factor` beside the model, as Kaldi's chain recipes leave it).
Networks that pool over the utterance take just the frames that there are, and give one row.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request

from ..kit.emit import Graph
from . import statistics
from .loop import write_loop
from .nnet import Expression, Net, Node, load
from .schedule import Schedule, plan

FRAMES = "T"
_TYPICAL_FRAMES = 12  # loops and contexts show; over many more, a loop of untrained weights multiplies rounding
_SUBSAMPLING = "frame_subsampling_factor"
_END = np.iinfo(np.int64).max


def import_model(request: Request) -> dict[str, Any]:
    """source -> model.onnx, contract.json. params: entry, dims ({"T": frames})."""
    folder = Path(request.inputs["source"])
    net = load(folder / request.params["entry"])
    schedule = plan(net)
    factor = subsampling(folder)
    frames = request.params.get("dims", {}).get(FRAMES, FRAMES)
    writer = Writer(schedule, frames)
    for group in schedule.groups:
        if group[0] in schedule.spans:
            writer.write(group)
    for node in net.outputs:
        writer.finish(node, factor)
    told = {_SUBSAMPLING: factor, "edges": writer.edges}
    return writer.graph.save(request.out, metadata={"kaldi": told, "example_dims": {FRAMES: _TYPICAL_FRAMES}})


def subsampling(folder: Path) -> int:
    """Of the file that Kaldi's recipes leave beside a chain model; 1 where there is none. Raises Refused."""
    file = folder / _SUBSAMPLING
    text = file.read_text(encoding="utf-8", errors="replace").strip() if file.is_file() else "1"
    if not text.isdigit() or not 0 < int(text) < 100:
        raise Refused(f"{_SUBSAMPLING} holds {text[:40]!r}, which is no factor")
    return int(text)


class Writer:
    def __init__(self, schedule: Schedule, frames: int | str) -> None:
        self.schedule = schedule
        self.frames = frames
        self.graph = Graph("nnet3")
        self.values: dict[str, str] = {}
        self.edges = "none" if schedule.pools else "repeated"

    def write(self, group: list[str]) -> None:
        if self.schedule.loops(group):
            self.values.update(write_loop(self, group))
            return
        node = self.schedule.net.nodes[group[0]]
        if node.kind == "input":
            self.values[node.name] = self._input(node)
        elif node.kind != "output":
            self.values[node.name] = self._node(node)

    def _input(self, node: Node) -> str:
        steady = node.name in self.schedule.steady
        value = self.graph.input(node.name, "float32", [1 if steady else self.frames, node.dim], node.name)
        first, last = self.schedule.spans[node.name]
        if steady or (first, last) == (0, 0) or self.schedule.pools:
            return value
        pads = self.graph.constant(np.array([-first, 0, last, 0], np.int64), f"{node.name}/context")
        return self.graph.node("Pad", [value, pads], name=f"{node.name}/edges", mode="edge")

    def _node(self, node: Node) -> str:
        first, last = self.schedule.spans[node.name]
        assert node.reads is not None
        if node.kind == "range":
            value = self.read(node.reads, first, last)
            return self._slice(value, node.offset, node.offset + node.dim, 1, node.name)
        assert node.component is not None
        if statistics.knows(node.component):
            value = self.read(node.reads, first, last)
            if not statistics.pools(node):
                return self.graph.node("Identity", [value], node.name, name=node.name)
            return statistics.emit(self.graph, node.component, value, node.name)
        function = self.schedule.functions[node.name]
        parts = [self.read(node.reads, first + time, last + time) for time in function.times]
        value = parts[0] if len(parts) == 1 else self.graph.node("Concat", parts, name=f"{node.name}/frames", axis=1)
        return function.emit(self.graph, value, node.name)

    def read(self, expression: Expression, first: int, last: int, *, optional: bool = False) -> str:
        """The expression for the frames [first, T - 1 + last]: [frames, dim], or [1, dim] where it is steady."""
        graph = self.graph
        if expression.op == "node":
            return self._frames(expression.name, first, last, optional)
        if expression.op == "const":
            return graph.constant(np.full((1, expression.dim), expression.number, np.float32), "const")
        if expression.op == "offset":
            shift = int(expression.number)
            return self.read(expression.parts[0], first + shift, last + shift, optional=optional)
        if expression.op in ("replace", "round"):
            if not all(name in self.schedule.steady for name in expression.nodes()):
                return self._rounded(expression, first, last)
            return self.read(expression.parts[0], first, last, optional=optional)
        if expression.op == "defined":
            return self.read(expression.parts[0], first, last, optional=True)
        parts = [self.read(part, first, last, optional=optional) for part in expression.parts]
        if expression.op == "scale":
            return graph.node("Mul", [parts[0], graph.constant(np.float32(expression.number), "scale")])
        if expression.op == "sum":
            for part in parts[1:]:
                parts[0] = graph.node("Add", [parts[0], part])
            return parts[0]
        return self._append(expression, parts)

    def _rounded(self, expression: Expression, first: int, last: int) -> str:
        """Round in front of pooling over everything changes nothing: all frames are there either way."""
        names = list(expression.nodes())
        known = all(statistics.knows(c) for name in names if (c := self.schedule.net.nodes[name].component) is not None)
        if expression.op == "round" and known and self.schedule.pools:
            return self.read(expression.parts[0], first, last)
        raise Refused(f"the descriptor over {names[0]} picks single frames", kind="unsupported", node=names[0])

    def _append(self, expression: Expression, parts: list[str]) -> str:
        if len(parts) == 1:
            return parts[0]
        steady = [all(name in self.schedule.steady for name in part.nodes()) for part in expression.parts]
        if any(steady) and not all(steady):  # one row for all frames: repeated for each
            moving = parts[steady.index(False)]
            size = self.graph.node("Shape", [moving], start=0, end=1)
            whole = self.graph.node("Concat", [size, self.graph.constant(np.array([1], np.int64), "one")], axis=0)
            parts = [
                self.graph.node("Expand", [part, whole]) if fixed else part
                for part, fixed in zip(parts, steady, strict=True)
            ]
        return self.graph.node("Concat", parts, axis=1)

    def _frames(self, name: str, first: int, last: int, optional: bool) -> str:
        value = self.values[name]
        if name in self.schedule.steady:
            return value
        has_first, has_last = self.schedule.spans[name]
        missing = max(0, has_first - first), max(0, last - has_last)
        if any(missing) and not optional:
            raise Refused(f"{name} is read for frames that it is not computed for", node=name)
        start, end = max(0, first - has_first), last - has_last
        if start or end < 0:
            value = self._slice(value, start, end if end < 0 else _END, 0)
        if any(missing):
            pads = self.graph.constant(np.array([missing[0], 0, missing[1], 0], np.int64), f"{name}/undefined")
            value = self.graph.node("Pad", [value, pads], name=f"{name}/undefined", mode="constant")
        return value

    def _slice(self, value: str, start: int, end: int, axis: int, name: str | None = None, step: int = 1) -> str:
        places = [np.array([each], np.int64) for each in (start, end, axis, step)]
        inputs = [value, *(self.graph.constant(place, f"{name or value}/slice") for place in places)]
        return self.graph.node("Slice", inputs, name, name=name or f"{value}/slice")

    def finish(self, node: Node, factor: int) -> None:
        assert node.reads is not None
        value = self.read(node.reads, 0, 0)
        if node.name in self.schedule.steady:
            rows: int | str = 1
        else:
            if factor != 1:
                value = self._slice(value, 0, _END, 0, None, factor)
            rows = f"T/{factor}" if factor != 1 else FRAMES
            if isinstance(self.frames, int):
                rows = -(-self.frames // factor)
            elif self.schedule.pools:
                rows = f"{FRAMES}_{node.name}"
        self.graph.node("Identity", [value], node.name, name=node.name)
        self.graph.output(node.name, "float32", [rows, self.schedule.dims[node.name]], node.name)


def network(request: Request) -> tuple[Net, Schedule, int]:
    """What the reference executes."""
    folder = Path(request.inputs["source"])
    net = load(folder / request.params["entry"])
    return net, plan(net), subsampling(folder)
