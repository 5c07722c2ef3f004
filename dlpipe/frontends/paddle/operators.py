"""What paddle2onnx covers of Paddle's operators, told by the two of them."""

from __future__ import annotations

from typing import Any

import paddle2onnx.paddle2onnx_cpp2py_export as cpp
from paddle.base import core

from .loading import TOOL

# No inference program holds these: gradients, optimizers, communication between machines, fused forms made at run time.
_ELSEWHERE = ("_grad", "_grad_grad", "_double_grad", "_xpu", "_sparse")
_INTERNAL = ("c_", "sparse_", "fused_", "distributed_", "push_", "pull_", "send_", "recv_", "partial_")


def covered() -> dict[str, Any]:
    able = {name.rstrip("_") for name in cpp.get_all_supported_operators_pir()}
    known = {name.rstrip("_") for name in core.get_all_op_names()}
    listed = {name for name in known if not name.endswith(_ELSEWHERE) and not name.startswith(_INTERNAL)}
    found = {name: {"support": "full" if name in able else "none", "note": None} for name in sorted(listed | able)}
    return {"operators": found, "source": f"the registry of {TOOL}, without gradients and distribution"}
