"""An artefact in OpenCV's DNN module. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..kit import executing
from ..kit.executing import Array, Arrays


class Model(executing.Model):
    """On the processor, by the engine that run.json names."""

    tool = f"OpenCV {cv2.__version__}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        self._engine = description["options"]["engine"]
        cv2.setNumThreads(threads)
        self._net = opened(Path(artifact, description["entry"]), self._engine)

    @property
    def proof(self) -> Mapping[str, Any]:
        if cv2.ocl.useOpenCL():
            raise RuntimeError("OpenCV computes by OpenCL, and was asked for the processor")
        return {"device": "CPU", "engine": self._engine}

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        names = [port["name"] for port in self._ports["outputs"]]
        found = answers(self._net, {name: feeds[name] for name in self.inputs}, names)
        return {
            port["name"]: executing.conforming(found[port["name"]], port, "OpenCV") for port in self._ports["outputs"]
        }


def opened(path: Path, engine: str) -> Any:
    """A net of that engine ("new" or "classic") and no other. Raises RuntimeError where it cannot read the model."""
    cv2.ocl.setUseOpenCL(False)
    net = cv2.dnn.readNetFromONNX(str(path), {"new": cv2.dnn.ENGINE_NEW, "classic": cv2.dnn.ENGINE_CLASSIC}[engine])
    if net.empty():
        raise RuntimeError(f"the {engine} engine of OpenCV cannot read the model")
    if engine == "classic":  # the new one has no other
        net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        net.setPreferableTarget(cv2.dnn.DNN_TARGET_CPU)
    return net


def answers(net: Any, feeds: Mapping[str, Array], outputs: list[str]) -> Arrays:
    for name, value in feeds.items():
        net.setInput(np.ascontiguousarray(value), name)
    return {name: np.array(value) for name, value in zip(outputs, net.forward(outputs), strict=True)}


if __name__ == "__main__":
    executing.main(Model)
