"""A graph of which one node at a time is executed: what else it holds stays in its file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused

from ...graph import checking, executing, files, walk

Values = dict[str, Any]
_FED = 1 << 20  # bytes: larger weights are handed to a node from their file, and not copied into a model for it
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16, onnx.TensorProto.DOUBLE)
_PLAIN = "biufc"  # kinds of dtypes that can be handed over


class Graph:
    """`nodes` are in an order of execution, `reads[i]` are the values that node i needs, those that graphs inside it
    take from around them included; weights are no values. `outputs` and `inputs` are the model's."""

    def __init__(self, path: Path, scratch: Path) -> None:
        """scratch: where weights go that lie in the model itself, since protobuf cannot read a part of a file."""
        self._folder = path.parent
        self._model = _light(files.read(path), scratch)
        checking.refuse_cycles(self._model.graph)
        graph = self._model.graph
        self._weights = {tensor.name: tensor for tensor in graph.initializer}
        self._sparse = {tensor.values.name: tensor for tensor in graph.sparse_initializer}
        stored = self._weights.keys() | self._sparse.keys()
        self.inputs = [value.name for value in graph.input if value.name not in stored]
        self.outputs = [value.name for value in graph.output]
        self.nodes = _ordered(list(graph.node), {*self.inputs, *stored})
        self._needs = [checking.reads(node) for node in self.nodes]
        self.reads = [sorted(names - stored) for names in self._needs]
        self.producer = {name: index for index, node in enumerate(self.nodes) for name in node.output if name}

    def name(self, index: int) -> str:
        """Of the node, or of its first output where it has none."""
        node = self.nodes[index]
        return str(node.name or next(name for name in node.output if name))

    def operator(self, index: int) -> str:
        return str(walk.qualified(self.nodes[index]))

    def made(self, index: int) -> list[str]:
        return [name for name in self.nodes[index].output if name]

    def as_input(self, name: str, values: list[Any]) -> list[Any]:
        """In the type that the model takes."""
        declared = next(value for value in self._model.graph.input if value.name == name)
        kind = declared.type.tensor_type.elem_type
        if kind in (onnx.TensorProto.UNDEFINED, onnx.TensorProto.STRING):
            return values
        dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
        return [each.astype(dtype, copy=False) for each in values]

    def skeleton(self) -> dict[str, Any]:
        """What `bisect_worker.skeleton` says."""
        inferred = checking.infer(self._model, strict=False).graph
        typed = (*inferred.value_info, *inferred.output, *inferred.input)
        floats = [each.name for each in typed if each.type.tensor_type.elem_type in _FLOATS]
        needed = sorted(self.behind(self.outputs))
        moving = {*self.inputs}  # what depends on an input; the rest is the same for every sample
        nodes = []
        for index in needed:
            reads = [name for name in self.reads[index] if name in moving]
            if reads:
                moving.update(self.made(index))
                made = {"name": self.name(index), "op": self.operator(index), "reads": reads}
                nodes.append({**made, "makes": self.made(index)})
        return {"nodes": nodes, "inputs": self.inputs, "outputs": self.outputs, "floats": floats}

    def behind(self, values: Iterable[str]) -> set[int]:
        """The nodes that these values depend on."""
        found: set[int] = set()
        waiting = [self.producer[name] for name in values if name in self.producer]
        while waiting:
            index = waiting.pop()
            if index not in found:
                found.add(index)
                waiting += [self.producer[name] for name in self.reads[index] if name in self.producer]
        return found

    def has_bfloat16(self) -> bool:
        """Which ONNX Runtime does not compute on a CPU."""
        short = onnx.TensorProto.BFLOAT16
        stored = any(tensor.data_type == short for tensor, _ in walk.tensors(self._model))
        graph = self._model.graph
        fed = any(value.type.tensor_type.elem_type == short for value in (*graph.input, *graph.output))
        cast = (each.i for node in walk.nodes(self._model) for each in node.attribute if each.name == "to")
        return stored or fed or short in cast

    def opened(self, index: int, given: Values) -> Opened:
        """The node, ready to be executed on values of the types and ranks of `given`. Raises Refused."""
        try:
            return Opened(self._alone(index, given, _FED), self._fed(index, _FED))
        except Refused:  # some kernels want their weights stored in the model
            return Opened(self._alone(index, given, None), {})

    def _fed(self, index: int, most: int) -> Values:
        return {
            name: self._array(self._weights[name])
            for name in sorted(self._needs[index] & self._weights.keys())
            if _large(self._weights[name], most)
        }

    def _alone(self, index: int, given: Values, most: int | None) -> bytes:
        """A model of the node alone. Weights of more than `most` bytes are inputs of it."""
        node = self.nodes[index]
        model = onnx.ModelProto(ir_version=self._model.ir_version, functions=self._model.functions)
        model.opset_import.extend(self._model.opset_import)
        model.graph.name = "alone"
        model.graph.node.add().CopyFrom(node)
        for tensor, _ in walk.tensors(model):  # of graphs inside the node
            self._store(tensor, tensor)
        for name in sorted(self._needs[index]):
            if name in self._sparse:
                model.graph.sparse_initializer.add().CopyFrom(self._sparse[name])
            elif name not in self._weights:
                model.graph.input.append(_declared(name, given[name], node))
            elif most is not None and _large(self._weights[name], most):
                tensor = self._weights[name]
                model.graph.input.append(
                    onnx.helper.make_tensor_value_info(name, tensor.data_type, [None] * len(tensor.dims))
                )
            else:
                stored = model.graph.initializer.add()
                stored.CopyFrom(self._weights[name])
                self._store(self._weights[name], stored)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in self.made(index))
        return bytes(model.SerializeToString())

    def _store(self, tensor: Any, copy: Any) -> None:
        """What lies in a file beside the model, into the copy."""
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            copy.raw_data = self._mapped(tensor).tobytes()
            copy.ClearField("external_data")
            copy.ClearField("data_location")

    def _array(self, tensor: Any) -> Any:
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            return onnx.numpy_helper.to_array(tensor)
        dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
        return self._mapped(tensor).view(dtype).reshape(tuple(tensor.dims))

    def _mapped(self, tensor: Any) -> Any:
        """Its bytes, read when they are looked at."""
        entries = {entry.key: entry.value for entry in tensor.external_data}
        file = self._folder / entries["location"]  # of those in `scratch` it is absolute
        length = _size(tensor)
        if not length:
            return np.zeros(0, np.uint8)
        return np.memmap(file, np.uint8, "r", int(entries.get("offset", 0)), (length,))


class Opened:
    """A node with its weights, as often as one wants to run it."""

    def __init__(self, model: bytes, weights: Values) -> None:
        self._session = executing.open_session(model, optimisation="none")
        self._weights = weights
        self._inputs = [port.name for port in self._session.get_inputs()]
        self._outputs = [port.name for port in self._session.get_outputs()]

    def run(self, values: Values) -> Values:
        """Raises Refused where ONNX Runtime fails on these values."""
        feed = {name: self._weights[name] if name in self._weights else values[name] for name in self._inputs}
        with executing.refusing("failed to run it"):
            found = self._session.run(self._outputs, feed)
        return {
            name: value if isinstance(value, list | np.ndarray) else np.asarray(value)
            for name, value in zip(self._outputs, found, strict=True)
        }


def _light(model: Any, scratch: Path) -> Any:
    """The model with its larger weights in a file of `scratch`: protobuf gives back what it read only as a whole."""
    large = [each for each in model.graph.initializer if each.HasField("raw_data") and _size(each) > _FED]
    if not large:
        return model
    target = scratch / "weights"
    with target.open("wb") as file:
        for tensor in large:
            entry = {"location": str(target), "offset": str(file.tell())}
            file.write(tensor.raw_data)
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.extend(onnx.StringStringEntryProto(key=key, value=entry[key]) for key in entry)
    light = onnx.ModelProto()
    light.CopyFrom(model)
    return light


def _ordered(nodes: list[Any], known: set[str]) -> list[Any]:
    """As they stand in the file, unless that is no order of execution."""
    seen = set(known)
    for node in nodes:
        if not checking.reads(node) - {""} <= seen:
            break
        seen.update(node.output)
    else:
        return nodes
    ordered, waiting, seen = [], nodes, set(known)
    while waiting:
        later = []
        for node in waiting:
            if checking.reads(node) <= seen:
                ordered.append(node)
                seen.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise Refused(f"nothing makes what {later[0].name or later[0].op_type} reads", node=later[0].name)
        waiting = later
    return ordered


def _size(tensor: Any) -> int:
    """In bytes, by its type and shape."""
    return int(walk.elements(tensor.dims) * walk.item_bits(tensor.data_type) + 7) // 8


def _large(tensor: Any, most: int) -> bool:
    return _size(tensor) > most and np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)).kind in _PLAIN


def _declared(name: str, value: Any, node: Any) -> Any:
    if isinstance(value, list) and value:
        kind = onnx.helper.np_dtype_to_tensor_dtype(np.asarray(value[0]).dtype)
        return onnx.helper.make_tensor_sequence_value_info(name, kind, None)
    if not isinstance(value, np.ndarray):
        what = "an empty sequence" if isinstance(value, list) else "an optional value that is not there"
        raise Refused(f"{name!r} is {what}: its type cannot be told", kind="unsupported", node=node.name)
    if value.dtype.kind in "OUS":
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.STRING, [None] * value.ndim)
    kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, [None] * value.ndim)
