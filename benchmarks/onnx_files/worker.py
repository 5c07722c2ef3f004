"""What is done with ONNX files beside the passes. Runs in the core toolchain, with dlpipe/ir/graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from dlpipe_worker import Request, operation

from ..graph import checking, files, macs, walk

_OPSET = 13


@operation
def count(request: Request) -> object:
    """ir, samples -> {"nodes", "macs": None where an operator's are not known, "why"}."""
    model = files.read(Path(request.inputs["ir"], "model.onnx"))
    with np.load(Path(request.inputs["samples"], "samples.npz"), allow_pickle=False) as archive:
        shapes = {name: archive[name].shape[1:] for name in archive.files}
    for port in model.graph.input:
        if port.name in shapes:
            for dim, size in zip(port.type.tensor_type.shape.dim, shapes[port.name], strict=True):
                dim.dim_value = size
    del model.graph.value_info[:]  # they may say what the open sizes were called
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    nodes = sum(1 for _ in walk.nodes(model))
    try:
        return {"nodes": nodes, "macs": macs.count(checking.infer(model, strict=False))}
    except macs.Unknown as reason:
        return {"nodes": nodes, "macs": None, "why": str(reason)}


@operation
def raised(request: Request) -> object:
    """ir -> the same in opset 13, where it is older: no quantiser of others does channels one by one before that."""
    model = onnx.load(Path(request.inputs["ir"], "model.onnx"))
    opset = next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    if opset < _OPSET:
        model = onnx.version_converter.convert_version(model, _OPSET)
    onnx.save(model, Path(request.out, "model.onnx"))
    return {"opset": max(opset, _OPSET)}
