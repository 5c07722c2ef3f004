"""A package as it was written, read back: does it say what the model says?"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import coremltools as ct
import numpy as np
import torch
from coremltools.converters.mil.frontend.milproto.load import load
from coremltools.models.utils import load_spec

from . import computing

_FEATURES = ct.proto.FeatureTypes_pb2.ArrayFeatureType
_TYPES = {"float32": _FEATURES.FLOAT32, "int32": _FEATURES.INT32, "int64": _FEATURES.INT32}
_STORED = 10  # numbers, from which on a tensor is looked for among the model's


def read(package: Path) -> tuple[Any, Any]:
    """The specification, and its program. Reading infers every operator's types and shapes anew, and raises
    AssertionError where the file says others."""
    spec = load_spec(str(package))
    weights = package / "Data/com.apple.CoreML/weights"
    return spec, load(spec, spec.specificationVersion, str(weights))


def ports(spec: Any, contract: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Raises RuntimeError where the package's inputs and outputs are not those of the contract."""
    for side, features in (("inputs", spec.description.input), ("outputs", spec.description.output)):
        array = [(each.name, each.type.multiArrayType) for each in features]
        found = {name: (tuple(kind.shape), kind.dataType) for name, kind in array}
        shapes = {port["name"]: [1 if isinstance(d, str) else d for d in port["shape"]] for port in contract[side]}
        wanted = {names[each["name"]]: (tuple(shapes[each["name"]]), _TYPES[each["dtype"]]) for each in contract[side]}
        differ = [name for name in {**wanted, **found} if found.get(name) != wanted.get(name)]
        if differ:
            said = "; ".join(f"{name}: {found.get(name)} instead of {wanted.get(name)}" for name in differ)
            raise RuntimeError(f"Core ML Tools wrote other {side} than the model's: {said}")


def operators(program: Any) -> dict[str, int]:
    """Name of each of Core ML's operators -> how often."""
    found = Counter(op.op_type for op in program.functions["main"].operations)
    return {name: count for name, count in sorted(found.items()) if name != "const"}


def weights(program: Any, exported: Any) -> dict[str, int]:
    """Numbers in the package's stored tensors, and how many of them stand in tensors that are the model's own, number
    for number (in fp16: rounded). Of the rest, Core ML Tools has merged or transposed something."""
    known = {_digest(array) for tensor in _tensors(exported) for array in _forms(tensor)}
    stored = [
        op.outputs[0].val
        for op in program.functions["main"].operations
        if op.op_type == "const" and isinstance(op.outputs[0].val, np.ndarray) and op.outputs[0].val.size >= _STORED
    ]
    same = [array for array in stored if _digest(array) in known]
    return {"numbers": sum(each.size for each in stored), "the_models_own": sum(each.size for each in same)}


def _tensors(exported: Any) -> Iterator[Any]:
    yield from exported.state_dict.values()
    yield from (each for each in exported.constants.values() if isinstance(each, torch.Tensor))


def _forms(tensor: Any) -> Iterator[Any]:
    array = tensor.detach().numpy()
    yield array
    if array.dtype == np.float32:
        with np.errstate(over="ignore"):
            yield array.astype(np.float16)
    if array.dtype == np.int64:
        yield array.astype(np.int32)


def _digest(array: Any) -> tuple[str, bytes]:
    return array.dtype.name, hashlib.sha256(np.ascontiguousarray(array).tobytes()).digest()


def computed(program: Any, exported: Any, contract: Mapping[str, Any], names: Mapping[str, str]) -> float:
    """The largest difference between what the program computes, each operator as Apple documents it and in fp32, and
    what the model does, for random inputs: in units of that output's range. Raises Unread."""
    generator = np.random.default_rng(0)
    feeds = {port["name"]: torch.from_numpy(_random(generator, port)) for port in contract["inputs"]}
    with torch.no_grad():
        wanted = exported.module()(*feeds.values())
        found = computing.compute(program, {names[name]: value for name, value in feeds.items()})
    worst = 0.0
    for port, value in zip(contract["outputs"], wanted, strict=True):
        ours, theirs = found[names[port["name"]]].double(), value.double()
        if ours.shape != theirs.shape:
            raise RuntimeError(f"{port['name']} is {tuple(ours.shape)} in the package: {tuple(theirs.shape)} is right")
        if theirs.numel():
            span = float(theirs.max() - theirs.min()) or 1.0
            difference = float((ours - theirs).abs().max()) / span
            worst = max(worst, difference if np.isfinite(difference) else float("inf"))
    return worst


def _random(generator: np.random.Generator, port: Mapping[str, Any]) -> Any:
    shape = [1 if isinstance(size, str) else size for size in port["shape"]]
    if port["dtype"] == "float32":
        return generator.standard_normal(shape).astype(np.float32)
    return generator.integers(0, 2, shape).astype(port["dtype"])  # small, as they may be indices
