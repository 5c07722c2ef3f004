"""Nodes that read each other over time, as one ONNX Scan over the frames.

A node that is read d frames ago is kept in a queue of its last d frames, which begins as zeros: that is what IfDefined
gives before the first frame. A group whose offsets are positive runs from the last frame to the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from dlpipe_worker import Refused

from ..kit.emit import Graph
from .nnet import Expression
from .schedule import Schedule, expression_width, reads

if TYPE_CHECKING:
    from .importing import Writer


def write_loop(writer: Writer, group: list[str]) -> dict[str, str]:
    """Returns the values of the group's nodes over their span."""
    return _Loop(writer, group).write()


class _Loop:
    def __init__(self, writer: Writer, group: list[str]) -> None:
        self.writer, self.group = writer, group
        self.schedule: Schedule = writer.schedule
        self.body = Graph(f"{group[0]}/frame")
        self.delays = self._delays()
        self.backwards = any(delay > 0 for delay in self.delays.values())
        self.sequences: list[tuple[str, int]] = []  # values outside, a row of which each step sees, and their widths
        self.now: dict[str, str] = {}  # node -> its value in this step
        self.queues: dict[str, str] = {}

    def _delays(self) -> dict[str, int]:
        """Node -> the farthest frame at which the group reads it; all on the same side."""
        found: dict[str, int] = {}
        for name in self.group:
            if self.schedule.times(self.schedule.net.nodes[name]) != (0,):
                raise Refused("a component in a loop reads several frames", kind="unsupported", node=name)
            for read in reads(self.schedule.net.nodes[name].reads):
                if read.node in self.group and read.offset:
                    if not read.optional:
                        raise Refused("a loop over time without IfDefined cannot begin", node=name)
                    found[read.node] = max(found.get(read.node, 0), read.offset, key=abs)
        signs = {delay > 0 for delay in found.values()}
        if len(signs) != 1:
            raise Refused(
                "nodes read each other in the same frame, or both forwards and backwards in time",
                kind="unsupported",
                node=self.group[0],
            )
        return found

    def write(self) -> dict[str, str]:
        body = self.body
        for name, delay in self.delays.items():
            shape = [abs(delay), self.schedule.dims[name]]
            self.queues[name] = body.input(f"{name}/queue", "float32", shape)
        for name in self._ordered():
            self.now[name] = self._step(name)
        for name in self.delays:
            kept = self._rows(self.queues[name], 1, np.iinfo(np.int64).max, f"{name}/kept")
            body.node("Concat", [kept, self.now[name]], f"{name}/queue_after", axis=0)
            body.output(f"{name}/queue_after", "float32", [abs(self.delays[name]), self.schedule.dims[name]])
        for name in self.group:
            axis = body.constant(np.array([0], np.int64), "axis")
            body.node("Squeeze", [self.now[name], axis], f"{name}/row")
            body.output(f"{name}/row", "float32", [self.schedule.dims[name]])
        for index, (_, width) in enumerate(self.sequences):
            body.input(f"outside_{index}", "float32", [width])
        graph = self.writer.graph
        starts = [
            graph.constant(np.zeros((abs(delay), self.schedule.dims[name]), np.float32), f"{name}/start")
            for name, delay in self.delays.items()
        ]
        outputs = [graph.fresh(f"{name}/end") for name in self.delays] + self.group
        direction = [int(self.backwards)]
        graph.node(
            "Scan",
            [*starts, *(value for value, _ in self.sequences)],
            outputs,
            name=f"{self.group[0]}/loop",
            body=body.build().graph,
            num_scan_inputs=len(self.sequences),
            scan_input_directions=direction * len(self.sequences),
            scan_output_directions=direction * len(self.group),
        )
        return {name: name for name in self.group}

    def _ordered(self) -> list[str]:
        """The group's nodes in an order in which one frame can be computed. Raises Refused where there is none."""
        waiting = list(self.group)
        done: list[str] = []
        while waiting:
            ready = [
                name
                for name in waiting
                if all(
                    read.offset or read.node not in self.group or read.node in done
                    for read in reads(self.schedule.net.nodes[name].reads)
                )
            ]
            if not ready:
                raise Refused("nodes read each other in the same frame", node=waiting[0])
            done += ready
            waiting = [name for name in waiting if name not in ready]
        return done

    def _step(self, name: str) -> str:
        node = self.schedule.net.nodes[name]
        assert node.reads is not None
        value = self._read(node.reads, 0)
        inside = f"{name}/now"
        if node.kind == "range":
            places = [np.array([each], np.int64) for each in (node.offset, node.offset + node.dim, 1)]
            inputs = [value, *(self.body.constant(place, f"{inside}/slice") for place in places)]
            return self.body.node("Slice", inputs, inside, name=inside)
        return self.schedule.functions[name].emit(self.body, value, inside)

    def _read(self, expression: Expression, offset: int) -> str:
        """[1, dim]: for the current frame."""
        if not any(name in self.group for name in expression.nodes()):
            return self._outside(expression, offset)
        if expression.op == "node":
            if offset == 0:
                return self.now[expression.name]
            place = abs(self.delays[expression.name]) - abs(offset)  # the queue's first row is the oldest
            return self._rows(self.queues[expression.name], place, place + 1, f"{expression.name}/past")
        if expression.op == "offset":
            return self._read(expression.parts[0], offset + int(expression.number))
        if expression.op == "defined":
            return self._read(expression.parts[0], offset)
        if expression.op not in ("append", "sum", "scale"):
            raise Refused(f"the descriptor {expression.op} within a loop is not handled", kind="unsupported")
        parts = [self._read(part, offset) for part in expression.parts]
        if expression.op == "scale":
            return self.body.node("Mul", [parts[0], self.body.constant(np.float32(expression.number), "scale")])
        if expression.op == "append":
            return self.body.node("Concat", parts, axis=1) if len(parts) > 1 else parts[0]
        for part in parts[1:]:
            parts[0] = self.body.node("Add", [parts[0], part])
        return parts[0]

    def _outside(self, expression: Expression, offset: int) -> str:
        """A value from outside the loop: its rows are handed in one after the other."""
        first, last = self.schedule.spans[self.group[0]]
        if all(name in self.schedule.steady for name in expression.nodes()):
            raise Refused(
                "a loop that reads one value for all frames is not handled", "unsupported", node=self.group[0]
            )
        value = self.writer.read(expression, first + offset, last + offset)
        self.sequences.append((value, expression_width(self.schedule, expression)))
        axis = self.body.constant(np.array([0], np.int64), "axis")
        return self.body.node("Unsqueeze", [f"outside_{len(self.sequences) - 1}", axis])

    def _rows(self, value: str, start: int, end: int, name: str) -> str:
        places = [np.array([each], np.int64) for each in (start, end, 0)]
        return self.body.node("Slice", [value, *(self.body.constant(place, name) for place in places)], name=name)
