"""Caffe originals executed: by OpenCV, and by dlpipe's own interpreter what OpenCV cannot. In the opencv toolchain."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from dlpipe_worker import Refused, Request

from ..kit import executing, fallback
from .boundary import find_boundary
from .caffemodel import read_weights
from .files import find_weights
from .net import read_net
from .opencv_limits import departs
from .opencv_net import OpenCv
from .own import interpreter
from .plain import plain_text

OWN = "dlpipe's interpreter of Caffe nets"


def _open_cv(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> OpenCv:
    """Raises Refused ("unsupported") for a net that OpenCV cannot be trusted with."""
    source, entry = Path(request.inputs["source"]), request.params["entry"]
    net, found = _read(source, entry, contract)
    for each in found.layers:
        reason = departs(each)
        if reason is not None:
            raise Refused("OpenCV " + reason, kind="unsupported", node=each.name, op=each.type)
    weights = find_weights(source, entry)
    if not net.upgraded and len(net.layers) == len(found.layers) + sum(each.type == "Input" for each in net.layers):
        return OpenCv(source / entry, weights, found.layers, contract, threads, unused(found, contract))
    text = plain_text(dict(found.inputs), found.layers)  # data layers and losses are nothing OpenCV knows
    return OpenCv(text, weights, found.layers, contract, threads, unused(found, contract))


def _open_own(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> "Own":
    del threads
    source, entry = Path(request.inputs["source"]), request.params["entry"]
    _, found = _read(source, entry, contract)
    return Own(found.layers, read_weights(find_weights(source, entry)), contract, unused(found, contract))


fallback.serve(__name__, _open_cv, _open_own)


def _read(source: Path, entry: str, contract: Mapping[str, Any]) -> Any:
    net = read_net(source / entry)
    asked = {each["source"]: {"shape": each["shape"]} for each in contract["inputs"]}
    return net, find_boundary(net, read_weights(find_weights(source, entry)), asked, {})


def unused(found: Any, contract: Mapping[str, Any]) -> Dict[str, Any]:
    """Inputs that the imported model no longer has, because only their shapes mattered: zeros of that shape."""
    import numpy as np

    known = {each["source"] for each in contract["inputs"]}
    return {name: np.zeros(shape, np.float32) for name, shape in found.inputs if name not in known}


class Own(executing.Model):
    """See own/."""

    tool = OWN

    def __init__(self, layers: Any, weights: Mapping[str, Any], contract: Mapping[str, Any], unused: Any) -> None:
        self._layers, self._weights, self._contract, self._unused = layers, weights, contract, unused

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        found = self._run(feeds)
        return {each["name"]: found["/" + each["source"]] for each in self._contract["outputs"]}

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        return {name: value for name, value in self._run(feeds).items() if not name.startswith("/")}

    def _run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        sources = {each["source"]: feeds[each["name"]] for each in self._contract["inputs"]}
        return interpreter.run(self._layers, self._weights, {**self._unused, **sources})
