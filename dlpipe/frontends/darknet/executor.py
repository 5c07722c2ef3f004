"""Darknet originals executed by OpenCV's own reader of the format. Runs in the opencv toolchain."""

import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional

from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from .cfg import Section, read_cfg
from .weights import find_weights


@operation
def reference(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry."""
    return executing.reference(request, open_model, kind="independent")


@operation
def layers(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> layers.npz. params: entry."""
    return executing.layers(request, open_model)


@operation
def time(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry, handle, warmup, runs, threads."""
    return executing.time(request, open_model)


def open_model(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> "OpenCv":
    return OpenCv(Path(request.inputs["source"]), request.params["entry"], contract, threads)


_ACTIVATIONS = {"relu", "leaky", "swish", "mish", "logistic", "tanh"}


class OpenCv(executing.Model):
    """OpenCV makes several layers of one section (conv_3, bn_3, leaky_4): the last is the section's result."""

    def __init__(self, source: Path, entry: str, contract: Mapping[str, Any], threads: Optional[int]) -> None:
        import cv2
        import numpy as np

        self.tool = "opencv " + cv2.__version__
        cv2.setNumThreads(threads or -1)
        self._sections = read_cfg(source / entry)[1:]
        try:
            texts = (_without_threshold(source / entry), find_weights(source, entry).read_bytes())
            self._net = cv2.dnn.readNetFromDarknet(*(np.frombuffer(each, np.uint8) for each in texts))
        except cv2.error as error:
            raise Refused("OpenCV cannot read the original: " + _line(error), kind="unsupported") from None
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self._net.enableFusion(False)
        self._net.enableWinograd(False)
        self._last = _last_layers(self._net.getLayerNames(), self._sections)
        self._contract = contract

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        sections = {each.name: each for each in self._sections}
        wanted = [sections[each["source"]] for each in self._contract["outputs"]]
        found = self._forward(feeds, wanted)
        return {
            each["name"]: _shaped(found[section.name], each["shape"])
            for each, section in zip(self._contract["outputs"], wanted)
        }

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        return self._forward(feeds, [each for each in self._sections if each.index in self._last])

    def _forward(self, feeds: Dict[str, Any], sections: List[Section]) -> Dict[str, Any]:
        import cv2

        for each in sections:
            if each.index not in self._last:
                raise Refused("OpenCV does not give the layer " + each.name, kind="unsupported")
        names = [self._last[each.index] for each in sections]
        try:
            for each in self._contract["inputs"]:
                self._net.setInput(feeds[each["name"]], each["source"])
            results = self._net.forward(names)
        except cv2.error as error:
            raise Refused("OpenCV cannot run the original: " + _line(error), kind="unsupported") from None
        return {each.name: value for each, value in zip(sections, results)}


def _last_layers(names: Iterable[str], sections: List[Section]) -> Dict[int, str]:
    """Index of a section -> OpenCV's last layer of it. An activation bears the number of the section behind its own."""
    last = {}
    for name in names:
        found = re.search(r"^(.*)_(\d+)$", name)
        if found:
            last[int(found.group(2)) - (found.group(1) in _ACTIVATIONS)] = name
        elif name == "detection_out":
            last[max(each.index for each in sections if each.kind == "region")] = name
    return last


def _without_threshold(cfg: Path) -> bytes:
    """OpenCV sets low scores to 0, in Darknet a matter of the caller: here the cfg says that none is low."""
    lines = []
    for line in cfg.read_text(encoding="utf-8").splitlines():
        if line.strip().partition("=")[0].strip() in ("thresh", "nms_threshold"):
            continue
        lines.append(line)
        if line.strip().lower() in ("[yolo]", "[region]"):
            lines += ["thresh=0", "nms_threshold=0"]
    return "\n".join([*lines, ""]).encode()


def _shaped(value: Any, shape: List[Any]) -> Any:
    """OpenCV gives the rows of one sample without its batch."""
    wanted = [dim if isinstance(dim, int) else 1 for dim in shape]
    size = 1
    for dim in wanted[1:]:
        size *= dim
    return value.reshape([value.size // size, *wanted[1:]]) if value.size % size == 0 else value


def _line(error: Exception) -> str:
    return " ".join(str(error).rpartition("error: ")[2].split())[:300]
