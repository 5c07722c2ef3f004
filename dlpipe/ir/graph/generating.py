"""Inputs made up from dtype and shape, the same every time: for when nobody gave data."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from dlpipe_worker import Refused

from . import checking, describing, executing, files, sizing, texts, walk

_PLAIN = ("Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Transpose")
_BUDGET = 128 << 20  # bytes of one input, over all samples: beyond it there are fewer of them, and never none
_WHOLE = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
_SMALL = 2  # 0 and 1 are valid as masks, flags and as indices into almost anything


@dataclass(frozen=True, slots=True)
class _Known:
    """What tells of the inputs: their ports, and by input the size of the table that it indexes and the values to take
    it from (texts that the model knows, numbers that it is compared with); `categories`: those of a place of its last
    axis."""

    ports: list[dict[str, Any]]
    bounds: dict[str, int]
    choices: dict[str, list[Any]]
    categories: dict[str, dict[str, list[Any]]]


def generate(folder: Path, *, count: int, seed: int, dims: dict[str, int]) -> tuple[dict[str, Any], dict[str, int]]:
    """Returns (input name -> [count or fewer, *shape], the symbolic dims and what they became).

    Floats: standard normal. uint8 and int8: their whole range. Other integers: below the size of the table they
    index, if the model has one, else 0 and 1. Texts: those that the model knows. Symbolic dims: `dims`, else what the
    frontend found to be typical (`example_dims` in the contract's metadata), else 1 for a batch and for others what
    `sizing` finds.
    """
    dims = {**_typical(folder), **dims}
    known = _known(folder)
    if (folder / files.MODEL).is_file():

        def sample(sizes: Mapping[str, int]) -> dict[str, Any]:
            return executing.one(_made(known, {**dims, **sizes}, 1, seed)[0], 0)

        dims |= sizing.choose(folder / files.MODEL, known.ports, dims, sample)
    return _made(known, dims, count, seed)


def _made(known: _Known, dims: Mapping[str, int], count: int, seed: int) -> tuple[dict[str, Any], dict[str, int]]:
    chosen: dict[str, int] = {}
    ports = [{**port, "shape": _fixed(port, dims, chosen)} for port in known.ports]
    sizes = [walk.elements(port["shape"]) * _item_bytes(port) for port in ports]
    for port, size in zip(ports, sizes, strict=True):
        if size > checking.MAX_TENSOR_BYTES:
            raise Refused(f"input {port['name']!r} of shape {port['shape']} is too large", hint="give smaller shapes")
    count = max(1, min(count, _BUDGET // max(1, *sizes, 1)))
    arrays = {}
    for port in ports:
        # A stream of its own for each input: one more input changes nothing for the others.
        random = np.random.default_rng([seed, zlib.crc32(port["name"].encode())])
        shape = (count, *port["shape"])
        if port["name"] in known.choices:
            arrays[port["name"]] = random.choice(np.array(known.choices[port["name"]], port["dtype"]), shape)
        else:
            arrays[port["name"]] = _values(random, port, shape, known.bounds.get(port["name"], _SMALL))
        for place, values in known.categories.get(port["name"], {}).items():
            arrays[port["name"]][..., int(place)] = random.choice(values, shape[:-1])
    return arrays, chosen


def _known(folder: Path) -> _Known:
    """Of an artefact that is no ONNX file the contract tells the inputs, and little of the rest."""
    told, categories = (_metadata(folder).get(key, {}) for key in ("choices", "categories"))
    if not (folder / files.MODEL).is_file():
        return _Known(_contract(folder)["inputs"], {}, told, categories)
    model = files.read(folder / files.MODEL)
    choices = {**_compared(model.graph), **texts.choices(model), **told}
    return _Known(describing.ports(model.graph, "input"), _index_bounds(model.graph), choices, categories)


def _typical(folder: Path) -> dict[str, int]:
    return {str(name): int(size) for name, size in _metadata(folder).get("example_dims", {}).items()}


def _metadata(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = _contract(folder).get("metadata", {})
    return found


def _contract(folder: Path) -> dict[str, Any]:
    path = folder / "contract.json"
    found: dict[str, Any] = json.loads(path.read_bytes()) if path.is_file() else {}
    return found


def _fixed(port: dict[str, Any], dims: Mapping[str, int], chosen: dict[str, int]) -> list[int]:
    if port["shape"] == ["*"]:
        raise Refused(f"input {port['name']!r} has no shape", kind="unsupported", hint="give it: --input name:shape")
    return [
        chosen.setdefault(size, int(dims.get(size, 1))) if isinstance(size, str) else size for size in port["shape"]
    ]


def _item_bytes(port: dict[str, Any]) -> int:
    try:
        return np.dtype(port["dtype"]).itemsize or 4  # strings have none of their own
    except TypeError:  # bfloat16 and its like, of which nothing is made up
        return 2


def _values(random: np.random.Generator, port: dict[str, Any], shape: tuple[int, ...], bound: int) -> Any:
    if port["dtype"].startswith("float"):
        return random.standard_normal(shape, np.float32).astype(port["dtype"])
    if port["dtype"] == "bool":
        return random.integers(0, 2, shape).astype(np.bool_)
    if port["dtype"] in ("uint8", "int8"):
        limits = np.iinfo(port["dtype"])
        return random.integers(limits.min, limits.max + 1, shape, dtype=port["dtype"])
    if port["dtype"].startswith(("int", "uint")):
        return random.integers(0, bound, shape, dtype=port["dtype"])
    raise Refused(f"no inputs can be made up for {port['name']!r} of type {port['dtype']}", kind="unsupported")


def _compared(graph: Any) -> dict[str, list[int]]:
    """Whole-number input -> the constants that the graph compares it with: a sampling rate, a mode."""
    stored = {tensor.name: _number(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute:
            given = onnx.helper.get_attribute_value(node.attribute[0])
            stored[node.output[0]] = given if isinstance(given, int) else _number(given)
    inputs = {value.name for value in graph.input if value.type.tensor_type.elem_type in _WHOLE} - set(stored)
    found: dict[str, list[int]] = {}
    for node in graph.node:
        if node.op_type == "Equal" and len(node.input) == 2:
            for name, other in (node.input, reversed(node.input)):
                number = stored.get(other)
                if name in inputs and number is not None:
                    found.setdefault(name, []).append(number)
    return found


def _number(tensor: Any) -> int | None:
    """The value of a tensor of one whole number."""
    if not isinstance(tensor, onnx.TensorProto) or tensor.data_type not in _WHOLE or walk.elements(tensor.dims) != 1:
        return None
    return int(onnx.numpy_helper.to_array(tensor).ravel()[0])


def _index_bounds(graph: Any) -> dict[str, int]:
    """Input name -> size of the smallest table that a Gather looks it up in."""
    sizes = {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    came_from = {node.output[0]: node.input[0] for node in graph.node if node.op_type in _PLAIN and node.input}
    found: dict[str, int] = {}
    for node in graph.node:
        if node.op_type != "Gather" or not sizes.get(node.input[0]):
            continue
        axis = next((each.i for each in node.attribute if each.name == "axis"), 0)
        name = node.input[1]
        while name in came_from:
            name = came_from[name]
        found[name] = min(found.get(name, 1 << 31), sizes[node.input[0]][axis])
    return found
