"""What a model is made of, as data."""

import math
from collections import Counter
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused

from . import checking, files, macs, traffic, walk

MAX_NODES = 2000  # that are listed one by one
_DEEP_RISKS = {"com.microsoft": "operators that only ONNX Runtime knows"}


def describe(folder: Path) -> dict[str, Any]:
    """See `describe` in the worker for the fields."""
    model = checking.infer(files.read(folder / files.MODEL), strict=False)
    opsets = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
    operators = Counter(walk.qualified(node) for node in walk.nodes(model))
    shapes, types = macs.shapes_of(model.graph, {}), _types(model.graph)
    result = {
        "inputs": ports(model.graph, "input"),
        "outputs": ports(model.graph, "output"),
        "opset": opsets.get("ai.onnx"),
        "opsets": opsets,
        "ir_version": model.ir_version,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
        "operators": dict(sorted(operators.items())),
        "node_count": sum(operators.values()),
        "nodes": [_node(node, shapes, types) for node in model.graph.node[:MAX_NODES]],
        "parameters": sum(walk.elements(tensor.dims) for tensor, _ in walk.tensors(model) if _is_weight(tensor)),
        "size_bytes": sum((folder / name).stat().st_size for name in _files(model)),
        "risks": _risks(model, opsets),
        "bounded": _bounded(model.graph),
    }
    return {**result, **_macs(model)}


def _macs(model: Any) -> dict[str, Any]:
    """For one sample where the batch is open; changes the model."""
    try:
        if macs.of_one_sample(model):
            model = checking.infer(model, strict=False)
        counted = {"macs": macs.count(model), "macs_reason": None}
    except (macs.Unknown, Refused) as reason:
        return {"macs": None, "macs_reason": str(reason), "bytes_moved": None, "integer_macs": None}
    try:
        return {**counted, **traffic.count(model)}
    except macs.Unknown:
        return {**counted, "bytes_moved": None, "integer_macs": None}


def _bounded(graph: Any) -> list[str]:
    """The outputs whose values are those of an activation between -1 and 1, however they were moved about."""
    makers = {name: node for node in graph.node for name in node.output}
    return [value.name for value in graph.output if _ends_in_bounded(value.name, makers)]


def _ends_in_bounded(name: str, makers: dict[str, Any]) -> bool:
    waiting, seen = [name], {name}
    while waiting:
        node = makers.get(waiting.pop())
        if node is None or node.domain not in ("", "ai.onnx"):
            return False
        if node.op_type in _BOUNDED:
            continue
        if node.op_type not in _MOVING:
            return False
        sources = node.input if node.op_type == "Concat" else node.input[:1]
        waiting += [each for each in sources if each not in seen]
        seen.update(sources)
    return True


def ports(graph: Any, side: str) -> list[dict[str, Any]]:
    """The inputs (without initializers) or outputs of a graph, in the form of the I/O contract."""
    stored = {tensor.name for tensor in graph.initializer} if side == "input" else set()
    return [_port(value) for value in getattr(graph, side) if value.name not in stored]


def _port(value: Any) -> dict[str, Any]:
    shape = walk.dims(value)
    # "*" alone: not even the rank is known. Unnamed dims get a name of their own, since None says nothing.
    named = ["*"] if shape is None else [f"{value.name}_{i}" if dim is None else dim for i, dim in enumerate(shape)]
    return {"name": value.name, "dtype": walk.dtype(value.type.tensor_type.elem_type), "shape": named}


def _types(graph: Any) -> dict[str, str]:
    found = {
        value.name: walk.dtype(value.type.tensor_type.elem_type)
        for value in (*graph.input, *graph.value_info, *graph.output)
    }
    return found | {tensor.name: walk.dtype(tensor.data_type) for tensor in graph.initializer}


def _node(node: Any, shapes: macs.Shapes, types: dict[str, str]) -> dict[str, Any]:
    def values(names: Any) -> list[dict[str, Any]]:
        return [{"name": name, "dtype": types.get(name), "shape": shapes.get(name)} for name in names]

    attributes = {each.name: _attribute(each) for each in node.attribute}
    bodies = {"bodies": {"operators": walk.inside(node), "reads": walk.captured(node)}} if walk.inside(node) else {}
    return {
        **bodies,
        "name": node.name,
        "op": walk.qualified(node),
        "inputs": values(node.input),
        "outputs": values(node.output),
        "attributes": {name: value for name, value in sorted(attributes.items()) if value is not None},
    }


def _attribute(attribute: Any) -> Any:
    """Numbers and strings; tensors and graphs are left out."""
    kind = onnx.AttributeProto
    if attribute.type in (kind.INT, kind.FLOAT):
        return _plain(onnx.helper.get_attribute_value(attribute))
    if attribute.type in (kind.INTS, kind.FLOATS):
        return [_plain(each) for each in onnx.helper.get_attribute_value(attribute)]
    return attribute.s.decode(errors="replace") if attribute.type == kind.STRING else None


def _plain(number: Any) -> Any:
    """As JSON has it: what an Imputer replaces is mostly "nan"."""
    return number if math.isfinite(number) else str(number)


def _is_weight(tensor: Any) -> bool:
    """Shapes and axes are no parameters; quantised weights are."""
    return tensor.data_type not in (onnx.TensorProto.INT64, onnx.TensorProto.STRING, onnx.TensorProto.BOOL)


def _files(model: Any) -> list[str]:
    names = {files.MODEL}
    for tensor, _ in walk.tensors(model):
        names |= {entry.value for entry in tensor.external_data if entry.key == "location"}
    return sorted(names)


def _risks(model: Any, opsets: dict[str, int]) -> list[str]:
    found = [f"domain {name}: {_DEEP_RISKS.get(name, 'custom operators')}" for name in opsets if name not in _STANDARD]
    if any(isinstance(size, str) for port in ports(model.graph, "input") for size in port["shape"]):
        found.append("symbolic input shapes: compilers for fixed shapes need --shape")
    if any(node.op_type in ("Loop", "Scan", "If") for node in walk.nodes(model)):
        found.append("control flow (If, Loop, Scan): not every backend takes it")
    return sorted(found)


_BOUNDED = ("Sigmoid", "HardSigmoid", "Softmax", "Tanh", "Softsign")
_MOVING = ("Identity", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Slice", "Gather", "Concat", "Expand")
_STANDARD = ("ai.onnx", "ai.onnx.ml")
