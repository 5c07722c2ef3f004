"""source -> model.onnx, contract.json: MXNet's own exporter (opset 13). Runs in the mxnet toolchain.

It gives wrong numbers for stacked LSTMs and says nothing: what it makes must be compared with the original.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mxnet as mx
import numpy as np
import onnx
from dlpipe_worker import Refused, Request
from mxnet import onnx as mx_onnx
from onnx import mapping

from ..kit import ports
from . import executor, naming


def export(request: Request) -> dict[str, Any]:
    """params: entry, inputs, outputs, dims. Shapes must be numbers: the exporter bakes them in."""
    given = request.params
    source, entry = Path(request.inputs["source"]), given["entry"]
    symbol = _without_losses(executor.load_symbol(source, entry, given.get("outputs") or []))
    params = executor.load_params(source, entry, symbol)
    feeds = [name for name in symbol.list_arguments() if name not in params]
    options = given.get("inputs") or {}
    shapes = [_shape(symbol, name, options.get(name) or {}, given.get("dims") or {}) for name in feeds]
    types = [np.dtype((options.get(name) or {}).get("dtype") or np.float32) for name in feeds]
    folder = Path(request.out)
    json_path, params_path = folder / "given-symbol.json", folder / "given-0000.params"
    symbol.save(str(json_path))
    auxiliary = set(symbol.list_auxiliary_states())
    mx.nd.save(str(params_path), {("aux:" if name in auxiliary else "arg:") + name: params[name] for name in params})
    path = folder / "model.onnx"
    try:
        mx_onnx.export_model(str(json_path), str(params_path), shapes, types, str(path))
    except Exception as error:  # it raises whatever its translators ran into
        message = f"MXNet's exporter fails: {type(error).__name__}: {executor.first_line(error)}"
        raise Refused(message, kind="unsupported") from error
    finally:
        json_path.unlink()
        params_path.unlink(missing_ok=True)
    model = onnx.load(str(path))
    initial = {tensor.name for tensor in model.graph.initializer}
    inputs = [_port(value) for value in model.graph.input if value.name not in initial]
    outputs = [_port(value) for value in model.graph.output]
    ports.write_contract(request.out, inputs, outputs, ports.read_labels(str(source), entry))
    return {"tool": f"mx.onnx of {executor.TOOL}"}


def _without_losses(symbol: Any) -> Any:
    """It fails on SoftmaxOutput and its kind (IndexError): what they give at inference is written instead."""
    found = json.loads(symbol.tojson())
    plain = {"SoftmaxOutput": "softmax", "Softmax": "softmax", "LogisticRegressionOutput": "sigmoid"}
    for node in found["nodes"]:
        if node["op"] in naming.LOSSES:
            old = node.get("attrs") or {}
            node["op"] = plain.get(node["op"], "identity")
            axis = "1" if old.get("multi_output") in ("True", "1") else "-1"
            node["attrs"] = {"axis": axis} if node["op"] == "softmax" else {}
            node["inputs"] = node["inputs"][:1]
    found.pop("node_row_ptr", None)
    return mx.sym.load_json(json.dumps(found))


def _shape(symbol: Any, name: str, option: dict[str, Any], dims: dict[str, int]) -> tuple[int, ...]:
    """The user's, else the symbol's; a free dim becomes 1."""
    stated = symbol.attr_dict().get(name, {}).get("__shape__", "()").strip("()[] ,").split(",")
    shape = option.get("shape") or [part.strip().rstrip("L") for part in stated if part.strip()]
    if not shape:
        raise Refused(
            f"MXNet's exporter must be told the shape of {name!r}",
            kind="unsupported",
            hint=f"give it: --input {name}:1x3x224x224 (with the real shape)",
        )
    return tuple(_dim(dim, dims) for dim in shape)


def _dim(dim: Any, dims: dict[str, int]) -> int:
    text = str(dim)
    return max(int(text), 1) if text.lstrip("-").isdigit() else int(dims.get(text, 1))


def _port(value: Any) -> dict[str, Any]:
    kind = value.type.tensor_type
    shape = [dim.dim_value or dim.dim_param for dim in kind.shape.dim]
    return ports.port(value.name, mapping.TENSOR_TYPE_TO_NP_TYPE[kind.elem_type].name, shape, value.name)
