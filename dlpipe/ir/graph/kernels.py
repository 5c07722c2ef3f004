"""What ONNX Runtime has CPU kernels for, and so the newest operator set in which it executes a model."""

from functools import cache
from typing import Any

import onnx
import onnxruntime as ort

from . import walk

NEWEST = 26  # operator set that it knows
_ENDLESS = 1 << 30


@cache
def kernels() -> dict[tuple[str, str], tuple[tuple[int, int], ...]]:
    """(domain, operator) -> the sets, from and to, for which there is a kernel."""
    found: dict[tuple[str, str], tuple[tuple[int, int], ...]] = {}
    for kernel in ort.capi.onnxruntime_pybind11_state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            key = ("" if kernel.domain == "ai.onnx" else kernel.domain, kernel.op_name)
            found[key] = (*found.get(key, ()), kernel.version_range)
    return found


def has_kernel(schema: Any) -> bool:
    """For the form of an operator that `schema` describes. A kernel without an end is for the very form with which it
    begins: what a later one changes it cannot know."""
    version = schema.since_version
    return any(
        version == first if last >= _ENDLESS else first <= version <= last
        for first, last in kernels().get((schema.domain, schema.name), ())
    )


def newest_set(model: Any, version: int) -> int:
    """Up to which the standard operators of a model of set `version` have kernels, where older forms have some."""
    ceiling = NEWEST
    for op in {node.op_type for node in walk.nodes(model) if node.domain in ("", "ai.onnx")}:
        limit = min(version, ceiling)
        while onnx.defs.has(op, max_inclusive_version=limit) and ("", op) in kernels():
            schema = onnx.defs.get_schema(op, max_inclusive_version=limit)
            if has_kernel(schema) or _is_defined(schema):
                ceiling = min(ceiling, limit) if limit < version else ceiling
                break
            limit = schema.since_version - 1
    return ceiling


def _is_defined(schema: Any) -> bool:
    """In other operators, which ONNX Runtime puts in its place."""
    return bool(schema.has_function or schema.has_context_dependent_function)
