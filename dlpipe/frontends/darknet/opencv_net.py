"""Darknet originals in OpenCV's own reader of the format."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from ..kit import executing
from .cfg import Section, read_cfg
from .weights import find_weights

_ACTIVATIONS = {"relu", "leaky", "swish", "mish", "logistic", "tanh"}


def departs(each: Section) -> str | None:
    """What OpenCV 4.14 reads otherwise than Darknet: each was seen, and tests/frontends/darknet holds it."""
    if each.kind == "region":
        return "suppresses overlapping boxes in [region], whatever the cfg says"
    if each.kind == "shortcut" and each.text("weights_type", "none") != "none":
        return "passes over the factors of a shortcut"
    if each.kind == "upsample" and each.real("scale", 1.0) != 1:
        return "passes over `scale` of an upsampling"
    if each.integer("dilation", 1) != 1:
        return "passes over the dilation of a convolution"
    stride = each.integer("stride", 1)
    if {each.integer("stride_x", stride), each.integer("stride_y", stride)} != {stride}:
        return "passes over strides by axis"
    return None


class OpenCv(executing.Model):
    """OpenCV makes several layers of one section (conv_3, bn_3, leaky_4): the last is the section's result."""

    def __init__(self, source: Path, entry: str, contract: Mapping[str, Any], threads: int | None) -> None:
        import cv2
        import numpy as np

        self._sections = read_cfg(source / entry)[1:]
        for each in self._sections:
            reason = departs(each)
            if reason:
                raise Refused("OpenCV " + reason, kind="unsupported", node=each.name, op=each.kind)
        self.tool = "opencv " + cv2.__version__
        cv2.setNumThreads(threads or -1)
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

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        sections = {each.name: each for each in self._sections}
        wanted = [sections[each["source"]] for each in self._contract["outputs"]]
        found = self._forward(feeds, wanted)
        return {
            each["name"]: _shaped(found[section.name], each["shape"])
            for each, section in zip(self._contract["outputs"], wanted, strict=True)
        }

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        return self._forward(feeds, [each for each in self._sections if each.index in self._last])

    def _forward(self, feeds: dict[str, Any], sections: list[Section]) -> dict[str, Any]:
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
        return {each.name: value for each, value in zip(sections, results, strict=True)}


def _last_layers(names: Iterable[str], sections: list[Section]) -> dict[int, str]:
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


def _shaped(value: Any, shape: list[Any]) -> Any:
    """OpenCV gives the rows of one sample without its batch."""
    wanted = [dim if isinstance(dim, int) else 1 for dim in shape]
    size = 1
    for dim in wanted[1:]:
        size *= dim
    return value.reshape([value.size // size, *wanted[1:]]) if value.size % size == 0 else value


def _line(error: Exception) -> str:
    return " ".join(str(error).rpartition("error: ")[2].split())[:300]
