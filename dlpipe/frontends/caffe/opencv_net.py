"""The original in OpenCV's own reader of the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from ..kit import executing
from .net import Layer


@dataclass(frozen=True)
class Place:
    """Where OpenCV has a top. label: the layer in the original file."""

    label: str
    top: str
    layer: str
    index: int
    type: str


class OpenCv(executing.Model):
    """Nothing is fused and no fast algorithm of less precision is used: this is what others are held against."""

    def __init__(
        self,
        prototxt: Path | str,
        weights: Path,
        layers: Sequence[Layer],
        contract: Mapping[str, Any],
        threads: int | None,
        unused: Mapping[str, Any],
    ) -> None:
        """prototxt: a file, or the text itself. Raises Refused for a net that OpenCV cannot read."""
        import cv2
        import numpy as np

        self.tool = f"opencv {cv2.__version__}"
        cv2.setNumThreads(threads or -1)
        try:
            if isinstance(prototxt, Path):
                self._net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
            else:
                texts = (prototxt.encode(), weights.read_bytes())
                self._net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(each, np.uint8) for each in texts))
        except cv2.error as error:
            raise Refused(f"OpenCV cannot read the original: {_line(error)}", kind="unsupported") from None
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self._net.enableFusion(False)
        self._net.enableWinograd(False)
        self._places = _places(layers, set(self._net.getLayerNames()))
        self._inputs = {each["name"]: each["source"] for each in contract["inputs"]}
        self._outputs = contract["outputs"]
        self._unused = unused

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        writers = {place.top: place for place in self._places}
        missing = [each["source"] for each in self._outputs if each["source"] not in writers]
        if missing:
            raise Refused(f"OpenCV does not give the blob {missing[0]!r}", kind="unsupported")
        wanted = [writers[each["source"]] for each in self._outputs]
        found = self._forward(feeds, wanted)
        return {
            each["name"]: _shaped(found[place], each["shape"], place.type)
            for each, place in zip(self._outputs, wanted, strict=True)
        }

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        return {place.label: value for place, value in self._forward(feeds, self._places).items()}

    def _forward(self, feeds: dict[str, Any], places: Sequence[Place]) -> dict[Place, Any]:
        import cv2

        names = list(dict.fromkeys(place.layer for place in places))
        try:
            for source, value in self._unused.items():
                self._net.setInput(value, source)
            for name, source in self._inputs.items():
                self._net.setInput(feeds[name], source)
            results = self._net.forwardAndRetrieve(names)
        except cv2.error as error:
            raise Refused(f"OpenCV cannot run the original: {_line(error)}", kind="unsupported") from None
        given = dict(zip(names, results, strict=True))
        for place in places:
            if place.index >= len(given[place.layer]):
                raise Refused(f"OpenCV does not give the blob {place.top!r}", kind="unsupported")
        return {place: given[place.layer][place.index] for place in places}


def _places(layers: Sequence[Layer], known: set[str]) -> list[Place]:
    """OpenCV calls a convolution by its tops, one each, and every other layer by its own name."""
    found = []
    for each in layers:
        for index, top in enumerate(each.tops):
            label = each.name if not index else f"{each.name}:{index}"
            layer, output = (top, 0) if each.type == "Convolution" else (each.name, index)
            if layer in known:
                found.append(Place(label, top, layer, output, each.type))
    return found


def _shaped(value: Any, shape: Sequence[int | str], kind: str) -> Any:
    """OpenCV gives a blob of one axis as a column; as many detections as it finds, the best first (Caffe: by class,
    then the best first; rows of -1 fill them up)."""
    import numpy as np

    wanted = [dim if isinstance(dim, int) else value.shape[0] for dim in shape]
    if kind == "DetectionOutput":
        rows = value.reshape(-1, 7)
        rows = rows[rows.any(1)]  # nothing found is one row of zeros
        rows = rows[np.lexsort([-rows[:, 2], rows[:, 1]])]
        return np.concatenate([rows, np.full([wanted[2] - len(rows), 7], -1, rows.dtype)]).reshape(wanted)
    return value.reshape(wanted) if value.size == np.prod(wanted) else value


def _line(error: Exception) -> str:
    return " ".join(str(error).rpartition("error: ")[2].split())[:300]
