"""ONNX Runtime, where a frontend computes with it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import onnxruntime as ort

_STATE = ort.capi.onnxruntime_pybind11_state
TROUBLE = (  # what it raises over a model: there is no common base class
    _STATE.NotImplemented,
    _STATE.InvalidGraph,
    _STATE.InvalidProtobuf,
    _STATE.InvalidArgument,
    _STATE.Fail,
    _STATE.RuntimeException,
    RuntimeError,
)


def open_session(model: Path | bytes, *, optimised: bool, threads: int = 1, ort_format: bool = False) -> Any:
    """optimised: let it rewrite the graph. Raises one of TROUBLE."""
    levels = ort.GraphOptimizationLevel
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = levels.ORT_ENABLE_ALL if optimised else levels.ORT_DISABLE_ALL
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if ort_format:
        options.add_session_config_entry("session.load_model_format", "ORT")
    source = model if isinstance(model, bytes) else str(model)
    return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def said(error: Exception) -> str:
    """Its first line, without places on the disk and in ONNX Runtime's own source."""
    line = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error).strip().split("\n")[0])
    return re.sub(r"Load model from \S+ failed: *|\S*onnxruntime_src/\S+:\d+ ", "", line)[:300]
