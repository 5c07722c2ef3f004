"""A later operator set, for passes whose operators it brings."""

import onnx
import onnx_ir as ir
from dlpipe_worker import Refused
from onnx_ir.passes import common

from .infra import infer_again, opset
from .stored import weights_apart

_IR_VERSIONS = onnx.helper.OP_SET_ID_VERSION_MAP  # the least IR version that may hold a set
_SCAN_WITHOUT_BATCH = 9
_READ = 1024  # bytes from which a weight is nothing that the converter looks at
_CONVERTER_SAYS = (
    onnx.version_converter.ConvertError,
    onnx.shape_inference.InferenceError,
    RuntimeError,
    ValueError,
    IndexError,
)


def raise_opset(model: ir.Model, least: int, why: str) -> list[str]:
    """In place, by ONNX's converter; the weights stay where they are. Returns what to say of it; nothing where the
    model's set is late enough. Raises Refused where it cannot be raised."""
    before = opset(model)
    if before >= least:
        return []
    scan = next((node for node in model.graph.all_nodes() if node.op_type == "Scan" and node.domain == ""), None)
    if scan is not None and before < _SCAN_WITHOUT_BATCH:
        raise Refused(
            f"{why} needs operator set {least}, in which a Scan no longer goes round once per item of the batch",
            kind="unsupported",
            node=scan.name,
            op="Scan",
        )
    if model.functions:
        common.InlinePass()(model)
    weights = {name: value.const_value for name, value in model.graph.initializers.items()}
    with weights_apart(model, least=_READ):
        proto = ir.to_proto(model)
    try:
        raised = ir.from_proto(onnx.version_converter.convert_version(proto, least))
    except _CONVERTER_SAYS as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise Refused(
            f"{why} needs operator set {least}, and {before} cannot be raised: {reason}", kind="unsupported"
        ) from error
    for name, value in raised.graph.initializers.items():
        if name in weights:
            value.const_value = weights[name]  # the model's own, which knows the file it lies in
    model.graph, model.ir_version = raised.graph, max(model.ir_version, _IR_VERSIONS["ai.onnx", least])
    infer_again(model)  # what the converter writes of its own values has wrong ranks
    return [f"operator set {before} -> {least}"]
