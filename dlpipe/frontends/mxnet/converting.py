"""A symbol and its parameters -> an ONNX graph, layer by layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..kit import emit
from . import (  # noqa: F401  each fills the table
    activating,
    arithmetic,
    convolving,
    detection,
    filling,
    indexing,
    multiplying,
    naming,
    normalizing,
    pooling,
    recurrent,
    reducing,
    sampling,
    shaping,
)
from .attributes import Attributes
from .handlers import TABLE, Layer
from .net import Net
from .symbol import Entry, Node, Symbol

Inputs = Mapping[str, tuple[Any, Sequence[int | str]]]  # name -> dtype, shape


def convert(symbol: Symbol, arrays: Mapping[str, Any], inputs: Inputs, heads: Sequence[Entry]) -> emit.Graph:
    """arrays: variable -> weights. Raises Refused with the layer at fault, FreeDim where a size must be known."""
    graph = emit.Graph("mxnet")
    walk = _Walk(symbol, arrays, inputs, Net(graph))
    names: set[str] = set()
    for head in heads:
        value, net = walk.value(head), walk.net
        name = naming.output_name(vars(symbol.nodes[head[0]]), head[1])
        if name in names:
            continue  # the same output twice
        if value != name:
            net.layer = symbol.nodes[head[0]].name
            copy = net.add("Identity", value)
            name = name if name not in walk.taken else graph.fresh(name)
            net.flush({copy: name})
            value = name
        names.add(value)
        graph.output(value, net.dtype(value), _dims(net, value), source=name)
    return graph


def _dims(net: Net, value: str) -> list[int | str]:
    """Dims that are not known get a name of their own."""
    return [f"{value}_{axis}" if dim is None else dim for axis, dim in enumerate(net.shape(value))]


class _Walk:
    """Values by node and output. Only what the heads need is converted."""

    def __init__(self, symbol: Symbol, arrays: Mapping[str, Any], inputs: Inputs, net: Net) -> None:
        self.symbol, self.arrays, self.inputs, self.net = symbol, arrays, inputs, net
        self.taken: set[str] = set()
        self._found: dict[int, list[str]] = {}

    def value(self, entry: Entry) -> str:
        """Without recursion: nodes stand in order, so all that is needed is done from the front."""
        if entry[0] not in self._found:
            for number in self._needed(entry[0]):
                self._found[number] = self._convert(self.symbol.nodes[number])
        return self._output(entry)

    def _output(self, entry: Entry) -> str:
        found = self._found[entry[0]]
        if entry[1] >= len(found):
            node = self.symbol.nodes[entry[0]]
            raise Refused(f"output {entry[1]} of it is not supported", "unsupported", node=node.name, op=node.op)
        return found[entry[1]]

    def _needed(self, last: int) -> list[int]:
        open_, needed = [last], set[int]()
        while open_:
            number = open_.pop()
            if number in needed or number in self._found:
                continue
            needed.add(number)
            open_.extend(each for each, _ in used(self.symbol.nodes[number]))
        return sorted(needed)

    def _convert(self, node: Node) -> list[str]:
        if node.op == "null":
            return [self._variable(node)]
        entry = TABLE.get(node.op)
        if entry is None:
            raise Refused(f"the operator {node.op} is not supported", "unsupported", node=node.name, op=node.op)
        self.net.layer = node.name or node.op
        inputs = [self._output(each) for each in used(node)]
        attributes = Attributes(node.attributes)
        try:
            folded = self._fold(node, inputs, attributes)
            made = folded or entry.handler(self.net, Layer(node.name, node.op, attributes, inputs))
            if left := attributes.unread():
                raise Refused(f"attribute {left[0]} = {node.attributes[left[0]]!r} is not supported", "unsupported")
        except Refused as error:
            raise _named(error, node) from error
        except (ValueError, IndexError, KeyError, TypeError, OverflowError) as error:
            # A handler took the model's word for something that is not so.
            raise Refused(f"it does not fit what it is given: {error}", node=node.name, op=node.op) from error
        return self._finish(node, [made] if isinstance(made, str) else list(made))

    def _finish(self, node: Node, values: list[str]) -> list[str]:
        renamed: dict[str, str] = {}
        for index, value in enumerate(values):
            name = naming.output_name(vars(node), index)
            if self.net.made_here(value) and value not in renamed and name not in self.taken:
                renamed[value] = name
                self.taken.add(name)
        self.net.flush(renamed)
        return [renamed.get(value, value) for value in values]

    def _fold(self, node: Node, inputs: list[str], attributes: Attributes) -> str | None:
        """Gluon flattens and joins the weights of an RNN in the graph: done here, for they must be constants."""
        arrays = self.net.arrays
        if any(value not in arrays for value in inputs):
            return None
        if node.op in ("Reshape", "reshape") and attributes.text("shape", "") in ("-1", "(-1,)", "(-1)", "[-1]"):
            return self.net.constant(arrays[inputs[0]].reshape(-1))
        if node.op == "_rnn_param_concat":
            attributes.ignore("num_args", "dim")
            return self.net.constant(np.concatenate([arrays[value].reshape(-1) for value in inputs]))
        return None

    def _variable(self, node: Node) -> str:
        if node.name in self.inputs:
            self.taken.add(node.name)
            dtype, shape = self.inputs[node.name]
            return self.net.input(node.name, dtype, shape)
        if node.name not in self.arrays:
            raise Refused(
                f"the .params file has no {node.name!r}",
                hint=f"is it an input? then give --input {node.name}:<shape>; else symbol and parameters do not belong "
                "together",
                node=node.name,
            )
        self.net.layer = node.name
        return self.net.constant(self.arrays[node.name], node.name)


def used(node: Node) -> tuple[Entry, ...]:
    """Its inputs, without the label of a loss."""
    return node.inputs[:1] if node.op in naming.LOSSES else node.inputs


def _named(error: Refused, node: Node) -> Refused:
    found = error.event
    return Refused(
        found["message"], found["kind"], hint=found["hint"], node=found["node"] or node.name, op=found["op"] or node.op
    )
