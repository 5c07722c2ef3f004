"""The original, executed as LiteRT does it where nobody asks for anything else: what XNNPACK takes is delegated to it.

Its kernels round a quantised sum once, as ONNX does; the built-in ones round twice, which a deep net turns into several
steps of the output. Runs in the litert toolchain.
"""

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from .legacy import content


@operation
def reference(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> outputs.npz. params: entry."""
    return executing.reference(request, open_model)


@operation
def layers(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> layers.npz: the tensors in the order in which they are computed. params: entry."""
    return executing.layers(request, open_whole)


@operation
def time(request: Request) -> Dict[str, Any]:
    """source, imported, samples -> seconds per run. params: entry."""
    return executing.time(request, open_model)


class _Original(executing.Model):
    def __init__(
        self, request: Request, contract: Mapping[str, Any], threads: Optional[int], whole: bool = False
    ) -> None:
        import ai_edge_litert
        from ai_edge_litert import interpreter

        self.tool = "litert {}".format(ai_edge_litert.__version__)
        self.data = content(Path(request.inputs["source"], request.params["entry"]))
        try:
            self.interpreter = interpreter.Interpreter(
                model_content=self.data,
                num_threads=threads,
                experimental_preserve_all_tensors=whole,
            )
        except (ValueError, RuntimeError) as error:
            raise _refused(error) from None
        self.inputs = {each["name"]: each["index"] for each in self.interpreter.get_input_details()}
        self.outputs = self.interpreter.get_output_details()
        self.ports = contract
        self.shapes = None  # type: Optional[Dict[str, Any]]

    def run(self, feeds: executing.Arrays) -> executing.Arrays:
        self._invoke(feeds)
        found = {}
        tensors = {each["name"]: each["index"] for each in self.interpreter.get_tensor_details()}
        for position, port in enumerate(self.ports["outputs"]):
            index = tensors[port["source"]]
            if len(self.outputs) == len(self.ports["outputs"]) and self.outputs[position]["name"] == port["source"]:
                index = self.outputs[position]["index"]
            try:
                found[port["name"]] = np.array(self.interpreter.get_tensor(index))
            except ValueError as error:
                raise _refused(error) from None
        return found

    def layers(self, feeds: executing.Arrays) -> executing.Arrays:
        """A picture is there twice: as the file has it, and as `NAME__nchw`."""
        self._invoke(feeds)
        found = {}  # type: executing.Arrays
        names = {each["index"]: each["name"] for each in self.interpreter.get_tensor_details()}
        for each in self.interpreter._get_ops_details():  # noqa: SLF001  there is no public way to the order
            for index in each["outputs"]:
                try:
                    value = np.array(self.interpreter.get_tensor(index))
                except ValueError:  # a tensor without data, such as a sequence's intermediate one
                    continue
                found[names[index]] = value
                if value.ndim == 4:
                    found[names[index] + "__nchw"] = value.transpose(0, 3, 1, 2)
        return found

    def _invoke(self, feeds: executing.Arrays) -> None:
        try:
            shapes = {port["source"]: feeds[port["name"]].shape for port in self.ports["inputs"]}
            if shapes != self.shapes:
                details = {each["name"]: tuple(each["shape"]) for each in self.interpreter.get_input_details()}
                for name, shape in shapes.items():
                    if details[name] != shape:
                        self.interpreter.resize_tensor_input(self.inputs[name], shape)
                self.interpreter.allocate_tensors()
                self.shapes = shapes
            self.interpreter.reset_all_variables()
            for port in self.ports["inputs"]:
                self.interpreter.set_tensor(self.inputs[port["source"]], feeds[port["name"]])
            self.interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise _refused(error) from None


def _refused(error: Exception) -> Refused:
    return Refused("LiteRT does not run the model: {}".format(str(error).strip().splitlines()[0]), kind="unsupported")


def open_model(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    return _Original(request, contract, threads)


def open_whole(request: Request, contract: Mapping[str, Any], threads: Optional[int]) -> executing.Model:
    """With every tensor kept."""
    return _Original(request, contract, threads, whole=True)
