"""Operations of tract's extensions that have an exact counterpart. Its other ones are refused by their names."""

from __future__ import annotations

from typing import Any

import numpy as np

from .signatures import EXTENSIONS, NEEDED
from .sources import external
from .step import Step, Tensor, handles

_DTYPES = {
    "f16": np.float16, "f32": np.float32, "f64": np.float64, "bool": np.bool_, "i8": np.int8, "i16": np.int16,
    "i32": np.int32, "i64": np.int64, "u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "u64": np.uint64,
    "tdim": np.int64,
}  # fmt: skip
EXTENSIONS.update(
    tract_core_external={"shape": NEEDED, "datum_type": NEEDED},
    tract_core_cast={"input": NEEDED, "to": None},
    tract_core_gather_elements={"input": NEEDED, "indices": NEEDED, "axis": NEEDED},
    tract_core_scatter_nd={"input": NEEDED, "indices": NEEDED, "updates": NEEDED, "reduction": "none"},
)


@handles("tract_core_external")
def _external(step: Step) -> Tensor:
    return external(step, _dtype(step, "datum_type"))


@handles("tract_core_cast")
def _cast(step: Step) -> Tensor:
    import onnx

    element = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(_dtype(step, "to")))
    return step.result("Cast", [step.tensor("input")], to=element)


@handles("tract_core_gather_elements")
def _gather_elements(step: Step) -> Tensor:
    value = step.tensor("input")
    axis = step.axis("axis", step.rank(value))
    return step.result("GatherElements", [value, _indices(step)], axis=axis)


@handles("tract_core_scatter_nd")
def _scatter_nd(step: Step) -> Tensor:
    value = step.tensor("input")
    reduction = step.choice("reduction", "none", "add", "mul", "min", "max")
    return step.result("ScatterND", [value, _indices(step), step.tensor("updates", value)], reduction=reduction)


def _indices(step: Step) -> Tensor:
    return step.emit("Cast", [step.tensor("indices")], to=7)


def _dtype(step: Step, key: str) -> Any:
    found = _DTYPES.get(str(step.args[key]))
    if found is None:
        step.fail(f"the element type {step.args[key]!r}", "unsupported")
    return found
