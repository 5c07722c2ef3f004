"""An artefact in the HTP simulator. Imported by the worker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime_qnn

from ..kit import executing
from ..kit.executing import Array, Arrays
from . import htp

CONTEXT = "EPContext"


class Model(executing.Model):
    """The context binary in the HTP simulator. What computes is counted: context nodes, and no other."""

    tool = f"onnxruntime-qnn {onnxruntime_qnn.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        del threads  # the simulator has its own
        described = executing.described(artifact)
        entry = Path(artifact, described["entry"])
        self._nodes = [node.op_type for node in onnx.load(str(entry), load_external_data=False).graph.node]
        if set(self._nodes) != {CONTEXT}:
            raise RuntimeError(f"the artefact computes outside of the NPU: {sorted(set(self._nodes) - {CONTEXT})}")
        self._session = htp.session(str(entry), described["options"], entries={}, dims={})
        self.inputs = tuple(port["name"] for port in described["inputs"])
        self._outputs = [port["name"] for port in described["outputs"]]

    @property
    def proof(self) -> Mapping[str, Any]:
        return {
            "provider": self._session.get_providers()[0],
            "context_nodes": len(self._nodes),
            "other_nodes": 0,
            "cpu_fallback": "disabled",
        }

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))
