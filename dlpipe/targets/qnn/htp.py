"""Sessions of ONNX Runtime that compute on Qualcomm's HTP and nowhere else.

As a program, `htp.py REQUEST` writes a context binary: in a process of its own, since a second compilation in one
process gives other bytes than the first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

import onnxruntime as ort
import onnxruntime_qnn

PROVIDER = "QNNExecutionProvider"
ort.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())


def session(
    model: str,
    options: Mapping[str, Any],
    *,
    entries: Mapping[str, str],
    dims: Mapping[str, int],
    severity: int = 3,
) -> Any:
    """options: htp_arch and soc_model. entries: of the session's configuration. dims: what free dims are bound to.
    severity: of what is logged (at 0 the plug-in says which nodes it does not take, and why).

    A node that the HTP does not take is an error, since the CPU is locked out.
    """
    settings = ort.SessionOptions()
    settings.log_severity_level = severity
    settings.intra_op_num_threads = 1
    settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for name, value in entries.items():
        settings.add_session_config_entry(name, value)
    for dim, size in dims.items():
        settings.add_free_dimension_override_by_name(dim, size)
    devices = [each for each in ort.get_ep_devices() if each.ep_name == PROVIDER]
    if not devices:
        raise RuntimeError(f"{PROVIDER} offers no device here")
    wanted = {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), "offload_graph_io_quantization": "0"}
    settings.add_provider_for_devices(devices[:1], {**wanted, **{key: str(value) for key, value in options.items()}})
    made = ort.InferenceSession(model, settings, enable_fallback=0)
    if made.get_providers()[0] != PROVIDER:
        raise RuntimeError(f"expected to run on {PROVIDER}, got {made.get_providers()}")
    return made


if __name__ == "__main__":
    session(**json.loads(sys.argv[1]))
