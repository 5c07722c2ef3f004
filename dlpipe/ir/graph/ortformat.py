"""ONNX Runtime's own format (.ort), read back to ONNX by ONNX Runtime itself."""

from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from . import executing, opsets, walk, writing


def read_back(path: Path, target: Path) -> list[str]:
    """Writes an ONNX file; returns what to say of it. Raises Refused where ONNX Runtime does not take the file.

    The format keeps the graph as it was optimised when it was written; what was fused then and has standard operators
    is taken apart again.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = executing.LEVELS["none"]
    options.log_severity_level = 3
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.load_model_format", "ORT")
    options.add_session_config_entry("session.save_model_format", "ONNX")
    with executing.refusing("does not read the .ort file"):
        ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    model = onnx.load_model(str(target))
    model.graph.name = model.graph.name or path.stem  # the format does not keep it, and ONNX wants one
    gone = writing.replace_nodes(model, lambda node: _split if _is_fused(node) else None)
    used = {node.domain for node in walk.nodes(model)} | {""}
    writing.keep_imports(model, lambda domain: domain in used)  # it declares all domains that it knows
    onnx.save_model(model, str(target))
    notes = ["read back from ONNX Runtime's format, as it was optimised when it was written"]
    left = sorted({walk.qualified(node) for node in walk.nodes(model) if node.domain.startswith("com.microsoft")})
    if gone:
        notes.append(f"{len(gone)} fused convolutions were taken apart")
    if left:
        notes.append(f"operators that only ONNX Runtime knows are left: {', '.join(left)}")
    return notes


_ACTIVATIONS = {
    "Relu": (),
    "Sigmoid": (),
    "Tanh": (),
    "LeakyRelu": ("alpha",),
    "HardSigmoid": ("alpha", "beta"),
    "Clip": ("min", "max"),
}


def _is_fused(node: Any) -> bool:
    if node.domain != "com.microsoft" or node.op_type != "FusedConv":
        return False
    given = writing.attributes(node)
    names = _ACTIVATIONS.get(str(given.get("activation", "")))
    return names is not None and len(given.get("activation_params", [])) == len(names)


def _split(node: Any, writer: writing.Writer) -> None:
    """FusedConv(x, w, b, z) = activation(Conv(x, w, b) + z)"""
    given = writing.attributes(node)
    kind, numbers = str(given.pop("activation")), given.pop("activation_params", [])
    y = writer.op("Conv", *node.input[:3], **given)
    if len(node.input) > 3 and node.input[3]:
        y = writer.op("Add", y, node.input[3])
    named = dict(zip(_ACTIVATIONS[kind], numbers, strict=True))
    if kind == "Clip" and writer.opset >= opsets.CLIP_WITH_INPUTS:
        writer.op(kind, y, *(writer.constant(value, name) for name, value in named.items()), output=node.output[0])
    else:
        writer.op(kind, y, output=node.output[0], **named)
