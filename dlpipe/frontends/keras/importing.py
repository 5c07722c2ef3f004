"""From a Keras file to an ONNX model: load, freeze, and the way of every TensorFlow graph from there on."""

from typing import Any

from dlpipe_worker import Request

from ..tensorflow.importing import import_loaded
from .freezing import freeze
from .network import Network
from .opening import open_saved


def import_model(request: Request) -> dict[str, Any]:
    params = request.params
    request.progress("loading the model")
    opened = open_saved(request.inputs["source"], params, params["route"])
    network = Network(opened)
    loaded = freeze(network, params.get("outputs", ()), params.get("inputs", {}))
    request.note(f"a file of Keras {opened.saved.version or 1}, loaded by {opened.tool}")
    for note in opened.notes:
        request.note(note, level="warning")
    return {**import_loaded(request, loaded), "tool": opened.tool}
