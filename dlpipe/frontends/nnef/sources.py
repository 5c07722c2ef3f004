"""Where values come from: inputs, weights, literals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from onnx import numpy_helper

from .binary import read_tensor
from .step import DTYPES, Step, Tensor, handles

_LARGE = 1 << 20  # items of one value, from which on they are not written out


@handles("external")
def _external(step: Step) -> Tensor:
    """A free dim is a name that `extension tract_symbol` declares, unless the user gave it a size."""
    return external(step, DTYPES[step.dtype or "scalar"])


def external(step: Step, dtype: Any) -> Tensor:
    asked = step.overrides.get(step.label, {})
    shape = asked.get("shape") or step.args["shape"]
    if not isinstance(shape, list) or not all(
        isinstance(each, str) or (isinstance(each, int) and each > 0) for each in shape
    ):
        step.fail(f"an input of the shape {shape!r}")
    return Tensor(step.graph.input(step.name(), np.dtype(asked.get("dtype") or dtype), shape, step.label))


@handles("variable")
def _variable(step: Step) -> Tensor:
    label = step.args["label"]
    if not isinstance(label, str):
        step.fail(f"its label is {label!r}")
    name = f"{label.lstrip('/')}.dat"
    if name not in step.files:
        step.fail(f"its file {name} is not there", hint="the .dat files belong beside graph.nnef")
    array, quantised = read_tensor(step.files.read(name), name)
    shape = step.integers("shape")
    if list(array.shape) != shape:
        step.fail(f"{name} holds the shape {list(array.shape)}, and {shape} is declared")
    if not quantised:
        array = array.astype(DTYPES[step.dtype or ("scalar" if array.dtype.kind == "f" else _kind(array))])
    return step.constant(array, step.name())


def _kind(array: Any) -> str:
    """Where the text does not say a type it is scalar; a file of whole numbers there holds scalars all the same."""
    return "logical" if array.dtype.kind == "b" else "scalar"


@handles("constant")
def _constant(step: Step) -> Tensor:
    shape, value = step.integers("shape"), step.args["value"]
    values = value if isinstance(value, list) else [value]
    count = math.prod(shape)
    if any(each < 0 for each in shape) or count > 1 << 28:
        step.fail(f"a constant of the shape {shape}")
    array = np.asarray(values)
    if array.ndim != 1 or array.size not in (1, count) or array.dtype.kind not in "bif":
        step.fail(f"{len(values)} values for a constant of the shape {shape}")
    array = array.astype(DTYPES[step.dtype or "scalar"])
    if array.size == 1 and count > _LARGE:
        value = numpy_helper.from_array(array)
        return step.result("ConstantOfShape", [step.ints(shape)], value=value)
    return step.constant(np.broadcast_to(array, count).reshape(shape), step.name())


@handles("update", limits="its result, not what the variable holds the next time")
def _update(step: Step) -> Tensor:
    step.fail("a variable that changes from run to run", "unsupported", hint="ONNX models keep no state")
