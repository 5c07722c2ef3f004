"""plainnet -> ONNX, and plainnet executed with numpy. Runs in the jail, since files may be hostile."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from ..kit import executing
from ..kit.emit import Graph
from ..kit.ports import BATCH


@operation
def sniff(request: Request) -> Any:
    """source -> the fields of `Sniffed` that are known, or None where it is no plainnet. params: entry."""
    path = Path(request.inputs["source"], request.params["entry"])
    if not path.is_file() or not path.read_bytes()[:64].lstrip().startswith(b'{"plainnet"'):
        return None
    return {"format": "plainnet/json", "framework": "plainnet", "reason": "it begins as a plainnet"}


@operation
def import_(request: Request) -> Any:
    """source -> model.onnx, contract.json. params: entry, dims."""
    net = _read(request)
    batch = request.params["dims"].get(BATCH, BATCH)
    graph = Graph("plainnet")
    value = graph.input("x", "float32", [batch, net["input"]])
    for layer in net["layers"]:
        name, weights = layer["name"], np.array(layer["weights"], np.float32)
        inputs = [value, graph.constant(weights, f"{name}/weights")]
        inputs.append(graph.constant(np.array(layer["bias"], np.float32), f"{name}/bias"))
        value = graph.node("Gemm", inputs, name=name)
        if layer["relu"]:
            value = graph.node("Relu", [value], name=f"{name}/relu")
    graph.output(value, "float32", [batch, len(net["layers"][-1]["bias"])])
    return graph.save(request.out)


class Net(executing.Model):
    tool = f"numpy {np.__version__}"

    def __init__(self, net: dict[str, Any], output: str) -> None:
        self.net, self.output = net, output

    def run(self, feeds: dict[str, Any]) -> dict[str, Any]:
        return {self.output: list(self.layers(feeds).values())[-1]}

    def layers(self, feeds: dict[str, Any]) -> dict[str, Any]:
        value, found = feeds["x"], {}
        for layer in self.net["layers"]:
            value = value @ np.array(layer["weights"], np.float32) + np.array(layer["bias"], np.float32)
            value = found[layer["name"]] = np.maximum(value, 0) if layer["relu"] else value
        return found


def _open(request: Request, contract: Any, threads: int | None) -> Net:
    return Net(_read(request), contract["outputs"][0]["name"])


@operation
def reference(request: Request) -> Any:
    """source, imported, samples -> outputs.npz."""
    return executing.reference(request, _open)


@operation
def layers(request: Request) -> Any:
    """source, imported, samples -> layers.npz of sample 0."""
    return executing.layers(request, _open)


@operation
def time(request: Request) -> Any:
    """source, imported, samples -> seconds of each run."""
    return executing.time(request, _open)


def _read(request: Request) -> Any:
    """Everything is checked before anything is made of it: a refusal says what is wrong, and where."""
    path = Path(request.inputs["source"], request.params["entry"])
    try:
        net = json.loads(path.read_bytes())
        width = int(net["input"])
        for layer in net["layers"]:
            shape = np.shape(layer["weights"])
            if shape != (width, len(layer["bias"])):
                raise Refused(f"its weights are {list(shape)}, and {width} values come in", node=layer["name"])
            width = shape[1]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Refused(f"{path.name} is not a whole plainnet: {error!r}") from error
    if not net["layers"]:
        raise Refused(f"{path.name} has no layers")
    return net
