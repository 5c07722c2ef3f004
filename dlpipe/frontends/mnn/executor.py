"""MNN originals executed by MNN itself, on the processor in 32-bit floats. In the toolchains mnn and mnn1."""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import MNN
import numpy as np
from dlpipe_worker import Refused, Request

from ..kit import executing

_TYPES = {
    "float32": MNN.Halide_Type_Float,
    "int32": MNN.Halide_Type_Int,
    "uint8": MNN.Halide_Type_Uint8,
    "int64": MNN.Halide_Type_Int64,
}
# Of the enum HintMode. At 0 convolutions go without the large Winograd transforms, which cost three digits: for what
# others are held against. What is timed runs as it is deployed.
_WINOGRAD_MEMORY_LEVEL = 3


def _open(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> "Net":
    return Net(Path(request.inputs["source"], request.params["entry"]), contract, threads)


executing.serve(__name__, _open)


class Net(executing.Model):
    """A loaded model. MNN goes on with zeros where it lacks an operator: every answer of it is looked at."""

    tool = "MNN " + (MNN.version() if hasattr(MNN, "version") else "1.0.0")  # 1.0 does not say it

    def __init__(self, path: Path, contract: Mapping[str, Any], threads: Optional[int]) -> None:
        self._contract = contract
        self._net = MNN.Interpreter(str(path))
        if threads is None and hasattr(self._net, "setSessionHint"):
            self._net.setSessionHint(_WINOGRAD_MEMORY_LEVEL, 0)
        config = {
            "numThread": threads or 1,
            "precision": "high",
            "backend": "CPU",
            "outputs": [port["source"] for port in contract["outputs"]],
        }
        self._session = self._net.createSession(config)
        self._shapes: Dict[str, Any] = {}

    def run(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        self._feed(feeds)
        self._check(self._net.runSession(self._session))
        found = {}
        for port in self._contract["outputs"]:
            tensor = self._net.getSessionOutput(self._session, port["source"])
            found[port["name"]] = _array(tensor)
        return found

    def layers(self, feeds: Dict[str, Any]) -> Dict[str, Any]:
        self._feed(feeds)
        found: Dict[str, Any] = {}

        def after(tensors: Any, info: Any) -> bool:
            for index, tensor in enumerate(tensors):
                name = info.getName() if index == 0 else "%s:%d" % (info.getName(), index)
                if info.getType() != "Raster" and tensor.getShape():
                    found[name] = _array(tensor)
            return True

        self._check(self._net.runSessionWithCallBackInfo(self._session, _before, after))
        return found

    def _feed(self, feeds: Dict[str, Any]) -> None:
        inputs = self._net.getSessionInputAll(self._session)
        changed = False
        for port in self._contract["inputs"]:
            shape = tuple(feeds[port["name"]].shape)
            if self._shapes.get(port["name"]) != shape and tuple(inputs[port["source"]].getShape()) != shape:
                self._net.resizeTensor(inputs[port["source"]], shape)
                changed = True
            self._shapes[port["name"]] = shape
        if changed:
            self._net.resizeSession(self._session)
        for port in self._contract["inputs"]:
            value = np.ascontiguousarray(feeds[port["name"]])
            tensor = inputs[port["source"]]
            tensor.copyFrom(MNN.Tensor(value.shape, _TYPES[str(value.dtype)], value, _order(tensor)))

    def _check(self, status: int) -> None:
        if status != 0:
            raise Refused(
                "%s cannot run the model (status %d): it lacks an operator that the file has" % (self.tool, status),
                kind="unsupported",
            )


def _before(tensors: Any, info: Any) -> bool:
    """MNN asks before every operator whether to run it."""
    del tensors, info
    return True


def _order(tensor: Any) -> Any:
    """Numbers are copied as they lie only to and from a tensor of the same order: NHWC counts for every rank."""
    nhwc = tensor.getDimensionType() == MNN.Tensor_DimensionType_Tensorflow
    return MNN.Tensor_DimensionType_Tensorflow if nhwc else MNN.Tensor_DimensionType_Caffe


def _array(tensor: Any) -> Any:
    """A copy of the tensor in its logical layout."""
    shape = tuple(tensor.getShape())
    kind = tensor.getDataType()
    dtype = next((name for name, each in _TYPES.items() if repr(each) == repr(kind) or each == kind), "float32")
    host = MNN.Tensor(shape, kind, np.zeros(shape, dtype), _order(tensor))
    tensor.copyToHostTensor(host)
    data = host.getNumpyData() if hasattr(host, "getNumpyData") else host.getData()
    return np.array(data, dtype).reshape(shape)
