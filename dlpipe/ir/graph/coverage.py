"""Which of ONNX's operators can be executed: told by its schemas, ONNX Runtime's kernels and the import's rules."""

from typing import Any

import onnx
import onnxruntime as ort

from . import kernels, legacy, quantisers

DOMAINS = ("", "ai.onnx.ml", "ai.onnx.preview", "ai.onnx.preview.training")
# The operators of QONNX's public list (docs/qonnx-custom-ops, qonnx/custom_op of fastmachinelearning/qonnx).
QONNX = (
    "BipolarQuant", "FloatQuant", "Im2Col", "IntQuant", "MaxPoolNHWC", "MultiThreshold", "Quant", "QuantAvgPool2d",
    "Trunc", "XnorPopcountMatMul",
)  # fmt: skip
_ALWAYS = ("Constant",)  # folded before any kernel is asked for


def coverage() -> dict[str, Any]:
    operators: dict[str, dict[str, str | None]] = {}
    for schema in onnx.defs.get_all_schemas():
        if schema.domain in DOMAINS and not schema.deprecated:
            operators[_title(schema.domain, schema.name)] = _judged(schema)
    for name in QONNX:
        known = name in quantisers.RULES
        note = "written as standard operators" if known else "no exact counterpart in standard operators"
        operators[_title("qonnx", name)] = {"support": "full" if known else "none", "note": note}
    for name in sorted(legacy.NAMES):
        operators.setdefault(name, {"support": "full", "note": "on trial in early sets; written as standard operators"})
    source = f"the schemas of ONNX {onnx.__version__}, and QONNX's list; kernels of ONNX Runtime {ort.__version__}"
    return {"operators": dict(sorted(operators.items())), "source": source}


def _judged(schema: Any) -> dict[str, str | None]:
    if schema.domain == "" and schema.since_version > kernels.NEWEST:
        if not onnx.defs.has(schema.name, max_inclusive_version=kernels.NEWEST):
            return {"support": "none", "note": f"new in set {schema.since_version}"}
        schema = onnx.defs.get_schema(schema.name, max_inclusive_version=kernels.NEWEST)
    if schema.name in _ALWAYS or kernels.has_kernel(schema):
        return {"support": "full", "note": None}
    if schema.has_function or schema.has_context_dependent_function:
        return {"support": "full", "note": "by its definition in other operators"}
    if kernels.kernels().get((schema.domain, schema.name)):
        note = f"there is no CPU kernel of set {schema.since_version}: models are brought to an older one"
        return {"support": "partial", "note": note}
    return {"support": "none", "note": "ONNX Runtime has no CPU kernel"}


def _title(domain: str, name: str) -> str:
    return f"{domain}::{name}" if domain else str(name)
