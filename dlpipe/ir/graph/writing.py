"""Replace single nodes of a ModelProto by several standard ones."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx

from . import walk


class Writer:
    """Writes the nodes that take the place of one node. Names are made from that node's name, and are never taken."""

    def __init__(self, graph: Any, node: Any, taken: set[str], opset: int) -> None:
        self.graph, self._node, self._taken, self.opset = graph, node, taken, opset
        self.nodes: list[Any] = []

    def constant(self, value: Any, stem: str, dtype: Any = np.float32) -> str:
        """A new weight; its name."""
        name = self._free(f"{self._node.name}/{stem}")
        self.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def op(self, kind: str, *inputs: str, output: str | None = None, name: str | None = None, **attributes: Any) -> str:
        """A new node with one output; its output's name."""
        name = name or self._free(f"{self._node.name}/{kind}")
        made = onnx.helper.make_node(kind, inputs, [output or name], name=name, **attributes)
        self.nodes.append(made)
        return str(made.output[0])

    def _free(self, name: str) -> str:
        free, number = name, 2
        while free in self._taken:
            free, number = f"{name}_{number}", number + 1
        self._taken.add(free)
        return free


Replace = Callable[[Any, Writer], None]


def replace_nodes(model: Any, wanted: Callable[[Any], Replace | None]) -> list[Any]:
    """In all graphs: where `wanted(node)` gives a function, that writes what takes the node's place (and must write
    its outputs' names). Returns the nodes that are gone, in order."""
    taken = set(_names(model))
    gone: list[Any] = []
    for graph in reversed(list(walk.graphs(model.graph))):  # inner ones first: they move with the nodes that hold them
        kept, before = list[Any](), len(gone)
        for node in graph.node:
            replace = wanted(node)
            if replace is None:
                kept.append(node)
                continue
            writer = Writer(graph, node, taken, version(model))
            replace(node, writer)
            kept += writer.nodes
            gone.append(node)
        if len(gone) > before:
            copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in kept]
            del graph.node[:]
            graph.node.extend(copies)
    return gone


def version(model: Any) -> int:
    """Of the standard operators; files older than IR version 3 do not say, and mean 1."""
    return next((int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx")), 1)


def keep_imports(model: Any, wanted: Callable[[str], bool]) -> None:
    """Drop the declarations of all domains but those that are wanted."""
    kept = [(entry.domain, entry.version) for entry in model.opset_import if wanted(entry.domain)]
    del model.opset_import[:]
    for domain, number in kept:
        model.opset_import.add(domain=domain, version=number)


def attributes(node: Any) -> dict[str, Any]:
    """Name -> value; strings as str."""
    found = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    return {
        name: value.decode(errors="replace") if isinstance(value, bytes) else value for name, value in found.items()
    }


class Stored:
    """What is stored in the main graph, initializers and Constant nodes alike: arrays, read when they are asked for."""

    def __init__(self, model: Any) -> None:
        self._tensors = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
                held = [each.t for each in node.attribute if each.name == "value"]
                self._tensors.update(dict.fromkeys(node.output, held[0]) if held else {})

    def get(self, name: str) -> Any:
        """None for what only a run of the model tells."""
        return onnx.numpy_helper.to_array(self._tensors[name]) if name in self._tensors else None


def _names(model: Any) -> Iterable[str]:
    for graph in walk.graphs(model.graph):
        for value in (*graph.input, *graph.initializer):
            yield value.name
        for node in graph.node:
            yield node.name
            yield from node.output
