"""An artefact in OpenVINO. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..kit import executing
from ..kit.executing import Array, Arrays

# Under emulation in a jail there is no /sys but the root's own, and hwloc, which OpenVINO asks for the processors, does
# not find that by itself.
_ROOT = Path(sys.executable).parents[2]
if Path(_ROOT, "sys/devices/system/cpu").is_dir():
    os.environ.setdefault("HWLOC_FSROOT", str(_ROOT))

import openvino  # noqa: E402 - it looks at the environment as it is imported

VERSION = openvino.__version__.partition("-")[0]
_CPU = {
    "NUM_STREAMS": 1,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # to one core, which others may be using
}


class Model(executing.Model):
    """On the device and in the floats that run.json says, or not at all."""

    tool = f"openvino {VERSION}"

    def __init__(self, artifact: str, threads: int = 1, cache: str | None = None) -> None:
        about = executing.described(artifact)
        device, properties = about["device"], dict(about["properties"])
        if device == "CPU":
            properties |= {"INFERENCE_NUM_THREADS": threads, **_CPU}
        if cache is not None:
            properties["CACHE_DIR"] = cache
        core, entry = openvino.Core(), Path(artifact, about["entry"])
        if entry.suffix == ".blob":  # which holds no hints
            compiled = core.import_model(entry.read_bytes(), device, properties)
        else:
            compiled = core.compile_model(str(entry), device, properties)
        self._proof = check(compiled, device, about["properties"])
        self.inputs = tuple(port["name"] for port in about["inputs"])
        self._outputs = [port["name"] for port in about["outputs"]]
        self._request = compiled.create_infer_request()

    @property
    def proof(self) -> Mapping[str, Any]:
        return self._proof

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        found = self._request.infer([feeds[name] for name in self.inputs], share_inputs=True)
        return {name: np.array(found[index]) for index, name in enumerate(self._outputs)}


def check(compiled: Any, device: str, properties: Mapping[str, str]) -> dict[str, Any]:
    """What OpenVINO says of where and in which floats it computes. Raises RuntimeError where that is not as wanted."""
    devices = list(compiled.get_property("EXECUTION_DEVICES"))
    if {name.partition(".")[0] for name in devices} != {device}:
        raise RuntimeError(f"expected to run on {device}, got {', '.join(devices)}")
    wanted, found = properties["INFERENCE_PRECISION_HINT"], compiled.get_property("INFERENCE_PRECISION_HINT")
    if wanted == "bf16" != found.get_type_name():
        raise RuntimeError("the processor of this machine does not compute bf16")
    return {"devices": devices, "computed_in": found.get_type_name()}


if __name__ == "__main__":
    executing.main(Model)
