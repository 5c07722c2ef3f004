"""An ONNX file with all its weights. onnx's own loader takes a data file with a further hard link, as the store's have,
for an attack; the jail shows no other files than the model's."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused


def read(path: Path) -> onnx.ModelProto:
    """Raises Refused where a weight is not in a file beside the model."""
    model = onnx.load(str(path), load_external_data=False)
    for tensor in _weights(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            _take_in(tensor, path.parent)
    return model


def _weights(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                yield from _weights(body)


def _take_in(tensor: Any, folder: Path) -> None:
    said = {entry.key: entry.value for entry in tensor.external_data}
    name, offset = said.get("location", ""), int(said.get("offset", 0))
    if Path(name).name != name or not (folder / name).is_file():
        raise Refused(f"the weight {tensor.name!r} lies in {name!r}, which is no file beside the model")
    with (folder / name).open("rb") as file:
        file.seek(offset)
        tensor.raw_data = file.read(int(said["length"])) if "length" in said else file.read()
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")
