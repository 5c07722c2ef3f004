"""A backend that miscompiles: ONNX Runtime, with a fault in what it makes of some operators."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from dlpipe.contracts.backend import Target
from dlpipe.contracts.call import Call
from dlpipe.targets.onnxruntime import OnnxRuntime

_REAL = OnnxRuntime().compile_call


class Faulty(OnnxRuntime):
    """fault: "node:NAME" or "pair" (see the worker)."""

    name = "faulty"
    fault = ""

    def compile_call(self, target: Target, variant: str) -> Call:
        real = _REAL(target, variant)
        worker, params = Path(__file__).with_name("worker.py"), {**real.params, "fault": self.fault}
        return replace(real, worker=worker, params=params, libraries=(*real.libraries, real.worker.parent))
