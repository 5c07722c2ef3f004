"""Which of ONNX's operators can be executed: told by its schemas, ONNX Runtime's kernels and the import's rules."""

from typing import Any

import onnx
import onnxruntime as ort

from . import legacy, opsets, quantisers

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
# The operators of QONNX's public list (docs/qonnx-custom-ops, qonnx/custom_op of fastmachinelearning/qonnx).
QONNX = (
    "BipolarQuant", "FloatQuant", "Im2Col", "IntQuant", "MaxPoolNHWC", "MultiThreshold", "Quant", "QuantAvgPool2d",
    "Trunc", "XnorPopcountMatMul",
)  # fmt: skip
_ENDLESS = 1 << 30
_ALWAYS = ("Constant",)  # folded before any kernel is asked for


def coverage() -> dict[str, Any]:
    kernels = _kernels()
    operators: dict[str, dict[str, str | None]] = {}
    for schema in onnx.defs.get_all_schemas():
        if schema.domain in DOMAINS and not schema.deprecated:
            operators[_title(schema.domain, schema.name)] = _judged(
                schema, kernels.get((schema.domain, schema.name), [])
            )
    for name in QONNX:
        known = name in quantisers.RULES
        note = "written as standard operators" if known else "no exact counterpart in standard operators"
        operators[_title("qonnx", name)] = {"support": "full" if known else "none", "note": note}
    for name in sorted(legacy.NAMES):
        operators.setdefault(name, {"support": "full", "note": "on trial in early sets; written as standard operators"})
    source = f"the schemas of ONNX {onnx.__version__}, and QONNX's list; kernels of ONNX Runtime {ort.__version__}"
    return {"operators": dict(sorted(operators.items())), "source": source}


def _judged(schema: Any, versions: list[tuple[int, int]]) -> dict[str, str | None]:
    if schema.domain == "" and schema.since_version > opsets.NEWEST:
        if not onnx.defs.has(schema.name, max_inclusive_version=opsets.NEWEST):
            return {"support": "none", "note": f"new in set {schema.since_version}"}
        schema = onnx.defs.get_schema(schema.name, max_inclusive_version=opsets.NEWEST)
    if schema.name in _ALWAYS or any(_takes(each, schema.since_version) for each in versions):
        return {"support": "full", "note": None}
    if schema.has_function or schema.has_context_dependent_function:
        return {"support": "full", "note": "by its definition in other operators"}
    if versions:
        newest = max(first for first, _ in versions)
        note = f"ONNX Runtime has CPU kernels of set {newest}, and none of {schema.since_version}"
        return {"support": "partial", "note": note}
    return {"support": "none", "note": "ONNX Runtime has no CPU kernel"}


def _takes(kernel: tuple[int, int], version: int) -> bool:
    """A kernel without an end is for the very form with which it begins: what a later one changes it cannot know."""
    first, last = kernel
    return version == first if last >= _ENDLESS else first <= version <= last


def _kernels() -> dict[tuple[str, str], list[tuple[int, int]]]:
    """(domain, operator) -> the sets, from and to, for which there is a kernel."""
    found: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for kernel in ort.capi.onnxruntime_pybind11_state.get_all_opkernel_def():
        if kernel.provider == "CPUExecutionProvider":
            domain = "" if kernel.domain == "ai.onnx" else kernel.domain
            found.setdefault((domain, kernel.op_name), []).append(kernel.version_range)
    return found


def _title(domain: str, name: str) -> str:
    return f"{domain}::{name}" if domain else str(name)
