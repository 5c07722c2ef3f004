"""ncnn originals executed by ncnn itself, in 32-bit floats. In the ncnn toolchain."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import ncnn
import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing
from .param import read_param
from .weights import find_weights

_HALVES = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_packed", "use_bf16_storage")


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> "Net":
    return Net(Path(request.inputs["source"]), request.params["entry"], contract, threads)


executing.serve(__name__, _open)


class Net(executing.Model):
    """A loaded network. The import has checked the files; what ncnn itself does not load is Refused."""

    tool = "ncnn " + ncnn.__version__

    def __init__(self, source: Path, entry: str, contract: Mapping[str, Any], threads: Optional[int]) -> None:
        self._contract = contract
        self._layers = read_param(source / entry)
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = threads or 1
        for option in _HALVES:
            setattr(self._net.opt, option, False)
        self._net.opt.use_packing_layout = threads is not None  # to be timed as it is deployed; some layers err with it
        files = ((self._net.load_param, source / entry), (self._net.load_model, find_weights(source, entry)))
        for load, path in files:
            if load(str(path)) != 0:
                raise Refused(f"ncnn {ncnn.__version__} does not load {path.name}", kind="unsupported")

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        extractor = self._begin(feeds)
        outputs = self._contract["outputs"]
        return {port["name"]: self._extract(extractor, port["source"]) for port in outputs}

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        extractor = self._begin(feeds)
        wanted = {port["source"] for port in self._contract["outputs"]}
        found: Dict[str, Any] = {}
        for layer in self._layers:
            if layer.type in ("Input", "Split"):
                continue
            for index, blob in enumerate(layer.tops):
                name = layer.name if len(layer.tops) == 1 else "%s:%d" % (layer.name, index)
                found[name] = self._extract(extractor, blob)
            wanted.difference_update(layer.tops)
            if not wanted:
                break
        return found

    def _begin(self, feeds: Dict[str, Any]) -> Any:
        extractor = self._net.create_extractor()
        for port in self._contract["inputs"]:
            value = feeds[port["name"]]
            if len(value) != 1:
                raise Refused("ncnn takes one sample at a time, and the batch is %d" % len(value), kind="unsupported")
            plain = np.ascontiguousarray(value[0], np.float32)
            extractor.input(port["source"], ncnn.Mat(plain).clone())
        return extractor

    def _extract(self, extractor: Any, blob: str) -> Any:
        """With the batch of one that ncnn does not have."""
        status, value = extractor.extract(blob)
        if status != 0:
            raise Refused("ncnn cannot compute the blob %r (status %d)" % (blob, status), kind="unsupported")
        return np.array(value.numpy())[None]
