"""An artefact in MNN. Imported by the worker, and run as a program under emulation."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import MNN
import numpy as np
from MNN import expr, nn

from ..kit import executing
from ..kit.executing import Array, Arrays

_KINDS = {
    "float32": MNN.Halide_Type_Float,
    "int32": MNN.Halide_Type_Int,
    "uint8": MNN.Halide_Type_Uint8,
}
# What a session says it computes on, of the enum MNNForwardType. 13 are the CPU's kernels for AVX2, AVX-512 or fp16.
_DEVICES = {0: "CPU", 1: "METAL", 2: "CUDA", 3: "OPENCL", 6: "OPENGL", 7: "VULKAN", 13: "CPU"}
_INFO_BACKENDS = 2
_AS_INT = ("int64", "bool")  # MNN holds both in 32 bits


class Model(executing.Model):
    """On the device that run.json names, and nowhere else: where MNN lacks it, it takes the CPU without an error."""

    tool = f"MNN {MNN.version()}"

    def __init__(self, artifact: str, threads: int = 1) -> None:
        description = executing.described(artifact)
        self.inputs = tuple(port["name"] for port in description["inputs"])
        self._ports = description
        path, options = str(Path(artifact, description["entry"])), description["options"]
        outputs = [port["name"] for port in description["outputs"]]
        config = {"backend": options["backend"], "precision": options["precision"], "numThread": threads}
        self._net = MNN.Interpreter(path)
        self._session = self._net.createSession({**config, "outputs": outputs})
        self._device = _device(self._net.getSessionInfo(self._session, _INFO_BACKENDS))
        if self._device != options["backend"]:
            raise RuntimeError(
                f"asked to compute on {options['backend']}, MNN computes on {self._device}: this build of MNN has no "
                f"{options['backend']}"
            )
        self._module = None
        if options["module"]:  # branches and loops
            manager = nn.create_runtime_manager((config,))
            self._module = nn.load_module_from_file(path, list(self.inputs), outputs, runtime_manager=manager)

    @property
    def proof(self) -> Mapping[str, Any]:
        return {"device": self._device}

    def run(self, feeds: Mapping[str, Array]) -> Arrays:
        given = {port["name"]: _plain(feeds[port["name"]]) for port in self._ports["inputs"]}
        found = self._by_session(given) if self._module is None else self._by_module(given)
        return {port["name"]: executing.conforming(found[port["name"]], port, "MNN") for port in self._ports["outputs"]}

    def operators(self, feeds: Mapping[str, Array]) -> dict[str, int]:
        """How often each type of operator ran, as MNN says: "Convolution [ DT_INT8 ]" is one in 8 bits."""
        self.run(feeds)
        found: Counter[str] = Counter()

        def after(tensors: Any, info: Any) -> bool:
            del tensors
            found[info.getType().strip()] += 1
            return True

        self._net.runSessionWithCallBackInfo(self._session, lambda _tensors, _info: True, after)
        return dict(found)

    def _by_session(self, given: Arrays) -> Arrays:
        inputs = self._net.getSessionInputAll(self._session)
        resized = [name for name, value in given.items() if tuple(inputs[name].getShape()) != value.shape]
        for name in resized:
            self._net.resizeTensor(inputs[name], given[name].shape)
        if resized:
            self._net.resizeSession(self._session)
        for name, value in given.items():
            tensor = inputs[name]
            tensor.copyFrom(MNN.Tensor(value.shape, _KINDS[str(value.dtype)], value, _order(tensor)))
        if (status := self._net.runSession(self._session)) != 0:
            raise RuntimeError(f"MNN cannot run the model (status {status})")
        outputs = [port["name"] for port in self._ports["outputs"]]
        return {name: _array(self._net.getSessionOutput(self._session, name)) for name in outputs}

    def _by_module(self, given: Arrays) -> Arrays:
        assert self._module is not None
        kinds = {"float32": expr.float, "int32": expr.int, "uint8": expr.uint8}
        fed = [
            expr.const(value if value.ndim else value.item(), list(value.shape), expr.NCHW, kinds[str(value.dtype)])
            for value in given.values()
        ]
        answer = self._module.forward(fed)
        answer = answer if isinstance(answer, (list, tuple)) else [answer]
        names = [port["name"] for port in self._ports["outputs"]]
        return {
            name: np.array(expr.convert(value, expr.NCHW).read()) for name, value in zip(names, answer, strict=True)
        }


def _device(code: float) -> str:
    """The binding reads MNN's whole number as it is, or as the bits of a float."""
    number = int(code) if code == int(code) else struct.unpack("<i", struct.pack("<f", code))[0]
    return _DEVICES.get(number, f"device {number}")


def _plain(value: Array) -> Array:
    return np.ascontiguousarray(value, np.int32 if str(value.dtype) in _AS_INT else value.dtype)


def _order(tensor: Any) -> Any:
    """Numbers are copied as they lie only between tensors of the same order."""
    nhwc = tensor.getDimensionType() == MNN.Tensor_DimensionType_Tensorflow
    return MNN.Tensor_DimensionType_Tensorflow if nhwc else MNN.Tensor_DimensionType_Caffe


def _array(tensor: Any) -> Array:
    shape, kind = tuple(tensor.getShape()), tensor.getDataType()
    dtype = next((name for name, each in _KINDS.items() if repr(each) == repr(kind) or each == kind), "float32")
    host = MNN.Tensor(shape, kind, np.zeros(shape, dtype), _order(tensor))
    tensor.copyToHostTensor(host)
    return np.array(host.getNumpyData(), dtype).reshape(shape)


if __name__ == "__main__":
    executing.main(Model)
