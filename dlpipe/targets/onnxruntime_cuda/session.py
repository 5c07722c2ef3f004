"""An ONNX model in ONNX Runtime, on an NVIDIA GPU and nowhere else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..kit import cuda, executing
from ..kit.executing import Array, Arrays

_CUDA = "CUDAExecutionProvider"
_OPTIONS = {"use_tf32": "0"}  # float32 is computed as such
_SHOWN = 5


class Model(executing.Model):
    """Raises RuntimeError where ONNX Runtime would compute on the CPU instead, which it does without an error when its
    CUDA library does not load, and for every operator that has no CUDA kernel."""

    tool = f"onnxruntime {ort.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        about = executing.described(artifact)
        if _CUDA not in ort.get_available_providers():
            raise RuntimeError(f"this ONNX Runtime has no CUDA kernels: {', '.join(ort.get_available_providers())}")
        self._device = cuda.Device()
        self._device.must_be(about["capability"])
        ort.preload_dlls()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.enable_profiling = True  # for one run, which says where each node was computed
        options.profile_file_prefix = "/tmp/dlpipe-placement"  # noqa: S108 - the jail's own
        self._session = ort.InferenceSession(
            str(Path(artifact, about["entry"])), options, providers=[(_CUDA, _OPTIONS), "CPUExecutionProvider"]
        )
        if _CUDA not in self._session.get_providers():
            raise RuntimeError(f"ONNX Runtime fell back to {', '.join(self._session.get_providers())}")
        self.inputs = tuple(port["name"] for port in about["inputs"])
        self._outputs = [port["name"] for port in about["outputs"]]
        self.run({port["name"]: _zeros(port) for port in about["inputs"]})
        self._placed = placed(Path(self._session.end_profiling()))
        if not any(each["provider"] == _CUDA for each in self._placed):
            raise RuntimeError("ONNX Runtime computed every node on the CPU")

    @property
    def proof(self) -> Mapping[str, Any]:
        """The GPU, and the operators that were computed elsewhere (sizes and indices often are)."""
        elsewhere = Counter(each["op"] for each in self._placed if each["provider"] != _CUDA)
        return {
            "device": self._device.name,
            "capability": self._device.capability,
            "providers": self._session.get_providers(),
            "nodes": len(self._placed),
            "on_the_cpu": dict(elsewhere.most_common(_SHOWN)),
        }

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))


def placed(profile: Path) -> list[dict[str, str]]:
    """Of a profile of one run: name, op and provider of each node that was computed."""
    events = json.loads(profile.read_text(encoding="utf-8"))
    return [
        {
            "name": event["name"].removesuffix("_kernel_time"),
            "op": event["args"]["op_name"],
            "provider": event["args"]["provider"],
        }
        for event in events
        if event.get("cat") == "Node" and event.get("args", {}).get("provider")
    ]


def _zeros(port: Mapping[str, Any]) -> Array:
    return np.zeros([size if isinstance(size, int) else 1 for size in port["shape"]], port["dtype"])
