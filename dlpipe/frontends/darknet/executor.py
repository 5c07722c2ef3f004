"""Darknet originals executed: by OpenCV, and by dlpipe's interpreter what OpenCV cannot. In the opencv toolchain."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from dlpipe_worker import Request

from ..kit import executing, fallback
from . import own
from .cfg import read_cfg
from .opencv_net import OpenCv
from .weights import Weights, find_weights


def _open_cv(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> OpenCv:
    return OpenCv(Path(request.inputs["source"]), request.params["entry"], contract, threads)


def _open_own(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> "Own":
    del threads
    return Own(Path(request.inputs["source"]), request.params["entry"], contract)


fallback.serve(__name__, _open_cv, _open_own)


class Own(executing.Model):
    """See own.py."""

    tool = "dlpipe's interpreter of Darknet networks"

    def __init__(self, source: Path, entry: str, contract: Mapping[str, Any]) -> None:
        self._network, *self._sections = read_cfg(source / entry)
        self._weights = find_weights(source, entry)
        self._contract = contract

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        found = self.layers(feeds)
        return {each["name"]: found[each["source"]] for each in self._contract["outputs"]}

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        image = feeds[self._contract["inputs"][0]["name"]]
        return own.run(self._network, self._sections, Weights(self._weights), image)
