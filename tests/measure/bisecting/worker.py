"""Plants a fault into a graph. Runs in the core toolchain."""

import shutil
from pathlib import Path

import numpy as np
import onnx
from dlpipe_worker import Request, operation


@operation
def plant(request: Request) -> object:
    """ir -> the ir with a fault at params["at"], the name of a node or weight. params: fault."""
    source, out = Path(request.inputs["ir"]), Path(request.out)
    for path in source.iterdir():
        if path.name != "model.onnx":
            shutil.copyfile(path, out / path.name)
    model = onnx.load_model(str(source / "model.onnx"))
    _FAULTS[request.params["fault"]](model.graph, request.params["at"], request.params)
    (out / "model.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return None


def _weight(graph, name):
    return next(each for each in graph.initializer if each.name == name)


def _node(graph, name):
    return next(each for each in graph.node if each.name == name)


def _perturb(graph, name, params):
    """One number of a weight is another."""
    tensor = _weight(graph, name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array.flat[params.get("place", 0)] += params.get("by", 0.5)
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))


def _swap(graph, name, _):
    """Two channels change places."""
    tensor = _weight(graph, name)
    array = onnx.numpy_helper.to_array(tensor).copy()
    array[[0, 1]] = array[[1, 0]]
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))


def _perm(graph, name, params):
    """A transpose of other axes."""
    node = _node(graph, name)
    del node.attribute[:]
    node.attribute.append(onnx.helper.make_attribute("perm", params["perm"]))


def _scale(graph, name, params):
    """A quantiser's step is another: the range is clipped, or far too wide."""
    tensor = _weight(graph, name)
    array = onnx.numpy_helper.to_array(tensor) * np.float32(params["factor"])
    tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))


def _range(graph, value, params):
    """The step of the quantiser that reads a value is another."""
    quantiser = next(each for each in graph.node if each.op_type == "QuantizeLinear" and each.input[0] == value)
    _scale(graph, quantiser.input[1], params)


def _operator(graph, name, params):
    """Another operator in its place."""
    name, _, inside = name.partition("/")  # loop/body: the last node of the graph inside
    node = _node(graph, name)
    if inside:
        node = node.attribute[0].g.node[-1]
    node.op_type = params["op"]


_FAULTS = {"perturb": _perturb, "swap": _swap, "perm": _perm, "scale": _scale, "range": _range, "operator": _operator}
