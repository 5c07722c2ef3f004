"""A TFLite model -> model.onnx and its contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request

from ..kit import emit, ports
from .detection import shaped
from .metadata import labels, normalisation, picture
from .reading import Model, Subgraph, Tensor, read
from .resolution import resolutions
from .scope import Scope
from .weights import numpy_dtype
from .writing import write

_OPSET_INT16 = 21  # the first whose QuantizeLinear gives int16


def import_model(request: Request) -> dict[str, Any]:
    path = Path(request.inputs["source"], request.params["entry"])
    model = read(path)
    if len(model.signatures) > 1:
        names = ", ".join(sorted(model.signatures))
        request.note(f"the file has several signatures ({names}): the first graph alone is imported", "warning")
    subgraph = fixed(shaped(model.subgraphs[0]), request.params["inputs"], request.params["dims"])
    model = replace(model, subgraphs=(subgraph, *model.subgraphs[1:]))
    graph = emit.Graph("tflite")
    scope = Scope(model, subgraph, graph)
    for index in subgraph.inputs:
        tensor = scope.tensor(index)
        name = scope.name(index)
        graph.input(name, numpy_dtype(tensor.dtype), dims(tensor, request.params["dims"]), tensor.name, _layout(tensor))
        scope.bind(index, name)
    write(scope)
    made = [
        (_output(scope, index, request.params["dims"]), index) for index in chosen(scope, request.params["outputs"])
    ]
    if scope.whole.int16:
        graph.opset = _OPSET_INT16
    found = labels(path, model) or ports.read_labels(request.inputs["source"], request.params["entry"])
    metadata = _metadata(scope, model, made)
    prepared = picture(graph.inputs, metadata.get("normalisation", {}))
    return graph.save(request.out, labels=found, metadata=metadata, preprocessing=prepared)


def fixed(subgraph: Subgraph, inputs: Mapping[str, Mapping[str, Any]], named: Mapping[str, int]) -> Subgraph:
    """With the shapes of inputs that the user gave: a dim that the file fixes cannot become another."""
    tensors = list(subgraph.tensors)
    unknown = set(inputs) - {tensors[index].name for index in subgraph.inputs}
    if unknown:
        raise Refused(f"the model has no input {min(unknown)!r}", hint=_inputs_hint(subgraph))
    for index in subgraph.inputs:
        tensor = tensors[index]
        shape: list[int | None] = list(inputs.get(tensor.name, {}).get("shape") or tensor.shape)
        shape = [dim if isinstance(dim, int) and dim > 0 else None for dim in shape]
        if len(shape) != len(tensor.shape) or any(
            held not in (None, wanted) for held, wanted in zip(tensor.shape, shape, strict=True)
        ):
            raise Refused(f"the input {tensor.name!r} has the fixed shape {list(tensor.shape)}", kind="unsupported")
        if shape and shape[0] is None and ports.BATCH in named:
            shape[0] = named[ports.BATCH]
        tensors[index] = replace(tensor, shape=tuple(shape))
    return replace(subgraph, tensors=tuple(tensors))


def _inputs_hint(subgraph: Subgraph) -> str:
    return "it has: " + ", ".join(subgraph.tensors[index].name for index in subgraph.inputs)


def dims(tensor: Tensor, named: Mapping[str, int]) -> list[int | str]:
    """A free first dim is the batch."""
    found: list[int | str] = []
    for axis, dim in enumerate(tensor.shape):
        name = ports.BATCH if axis == 0 else f"{tensor.name}_{axis}"
        found.append(named.get(name, name) if dim is None else dim)
    return found


def chosen(scope: Scope, names: list[str]) -> list[int]:
    if not names:
        return list(scope.subgraph.outputs)
    by_name = {tensor.name: tensor.index for tensor in scope.subgraph.tensors}
    missing = [name for name in names if name not in by_name]
    if missing:
        raise Refused(
            f"the model has no tensor {missing[0]!r}", hint="the outputs it names itself are taken without --output"
        )
    return [by_name[name] for name in names]


def _output(scope: Scope, index: int, named: Mapping[str, int]) -> str:
    """Returns the port's name."""
    tensor = scope.tensor(index)
    value, taken = scope.stored(index), {each["name"] for each in (*scope.graph.inputs, *scope.graph.outputs)}
    if value in taken or scope.is_constant(index):  # ONNX has no input or weight that is an output, and no output twice
        value = scope.graph.node("Identity", [value], scope.graph.fresh(tensor.name), name=f"{tensor.name}__output")
    scope.graph.output(value, numpy_dtype(tensor.dtype), dims(tensor, named), tensor.name, _layout(tensor))
    return value


def _layout(tensor: Tensor) -> str | None:
    return "NHWC" if len(tensor.shape) == 4 else None


def _metadata(scope: Scope, model: Model, outputs: list[tuple[str, int]]) -> dict[str, Any]:
    """What a user of the model needs to feed it and to read its answers."""
    found: dict[str, Any] = {"framework": "tflite", "description": model.description, "signatures": model.signatures}
    found["quantisation"] = {}
    for name, index in [*((scope.name(index), index) for index in scope.subgraph.inputs), *outputs]:
        quantisation = scope.quantisation(index)
        if quantisation is not None:
            scale, zero = quantisation.scale.tolist(), quantisation.zero_point.tolist()
            found["quantisation"][name] = {"scale": scale[0], "zero_point": zero[0]}
    found["resolution"] = resolutions(scope, outputs)
    found["normalisation"] = normalisation(model, [scope.name(index) for index in scope.subgraph.inputs])
    return {key: value for key, value in found.items() if value}
