"""The original in OpenCV's own reader of the format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused

from ..kit import executing
from .net import Layer

# What OpenCV 4.14 computes otherwise than Caffe, or not at all, each seen in tests/frontends/caffe.
OTHERWISE: dict[str, str] = {}


class OpenCv(executing.Model):
    """Nothing is fused and no fast algorithm of less precision is used: this is what others are held against."""

    def __init__(
        self,
        prototxt: Path | str,
        weights: Path,
        layers: Sequence[Layer],
        contract: Mapping[str, Any],
        threads: int | None,
    ) -> None:
        """prototxt: a file, or the text itself. Raises Refused for a net that OpenCV cannot read."""
        import cv2

        self.tool = f"opencv {cv2.__version__}"
        cv2.setNumThreads(threads or -1)
        try:
            if isinstance(prototxt, Path):
                self._net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
            else:
                self._net = cv2.dnn.readNetFromCaffe(prototxt.encode(), weights.read_bytes())
        except cv2.error as error:
            raise Refused(f"OpenCV cannot read the original: {_line(error)}", kind="unsupported") from None
        self._net.setPreferableBackend(cv2.dnn.DNN_BACKEND_OPENCV)
        self._net.enableFusion(False)
        self._net.enableWinograd(False)
        known = set(self._net.getLayerNames())
        self._layers = [each for each in layers if each.name in known]
        self._inputs = {each["name"]: each["source"] for each in contract["inputs"]}
        self._outputs = contract["outputs"]

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        writer = {top: (each.name, index) for each in self._layers for index, top in enumerate(each.tops)}
        missing = [each["source"] for each in self._outputs if each["source"] not in writer]
        if missing:
            raise Refused(f"OpenCV does not give the blob {missing[0]!r}", kind="unsupported")
        found = self._forward(feeds, [writer[each["source"]][0] for each in self._outputs])
        results = {}
        for each in self._outputs:
            layer, index = writer[each["source"]]
            results[each["name"]] = shaped(found[layer][index], each["shape"])
        return results

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        found = self._forward(feeds, [each.name for each in self._layers if each.tops])
        return {
            name if not index else f"{name}:{index}": value
            for name, values in found.items()
            for index, value in enumerate(values)
        }

    def _forward(self, feeds: dict[str, Any], layers: Sequence[str]) -> dict[str, Any]:
        import cv2

        names = list(dict.fromkeys(layers))
        try:
            for name, source in self._inputs.items():
                self._net.setInput(feeds[name], source)
            results = self._net.forwardAndRetrieve(names)
        except cv2.error as error:
            raise Refused(f"OpenCV cannot run the original: {_line(error)}", kind="unsupported") from None
        return dict(zip(names, results, strict=True))


def shaped(value: Any, shape: Sequence[int | str]) -> Any:
    """OpenCV gives a blob of one axis as a column, and as many detections as it finds: rows of -1 fill them up."""
    import numpy as np

    wanted = [dim if isinstance(dim, int) else value.shape[0] for dim in shape]
    if len(wanted) == 4 and wanted[3] == 7 and value.ndim == 4 and value.shape[2] < wanted[2]:
        rows = value.reshape(-1, 7)
        rows = rows[rows.any(1)]  # nothing found is one row of zeros
        return np.concatenate([rows, np.full([wanted[2] - len(rows), 7], -1, rows.dtype)]).reshape(wanted)
    return value.reshape(wanted) if value.size == np.prod(wanted) else value


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
