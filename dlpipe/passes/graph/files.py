"""IR folders: load, save, and what tells two models apart."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import onnx_ir as ir

MODEL = "model.onnx"
DATA = "model.onnx.data"
_INLINE_LIMIT = 1 << 30  # bytes of weights from which they go to a file of their own


def load(folder: Path) -> ir.Model:
    """Weights in `model.onnx.data` are mapped, not read."""
    return ir.load(str(folder / MODEL))


def save(model: ir.Model, folder: Path) -> None:
    """The same bytes for the same model."""
    if _weight_bytes(model) > _INLINE_LIMIT:
        ir.save(model, str(folder / MODEL), external_data=DATA)
        return
    ir.external_data.load_to_model(model)
    (folder / MODEL).write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))


def structure(model: ir.Model) -> str:
    """A digest of everything but the shapes of intermediate values, which are only annotations, and the order of the
    weights, which has no meaning."""
    proto = ir.to_proto(model)
    _reduce(proto.graph)
    for port in (*proto.graph.input, *proto.graph.output):
        _forget_shape(port.type)
    return hashlib.sha256(proto.SerializeToString(deterministic=True)).hexdigest()


def _forget_shape(kind: Any) -> None:
    for name in ("tensor_type", "sparse_tensor_type"):
        if kind.HasField(name):
            getattr(kind, name).ClearField("shape")
    for name in ("sequence_type", "optional_type"):
        if kind.HasField(name):
            _forget_shape(getattr(kind, name).elem_type)


def _reduce(graph: Any) -> None:
    del graph.value_info[:]
    weights = sorted(graph.initializer, key=lambda tensor: str(tensor.name))
    del graph.initializer[:]
    graph.initializer.extend(weights)
    for node in graph.node:
        for attribute in node.attribute:
            for body in [attribute.g] if attribute.HasField("g") else attribute.graphs:
                _reduce(body)
                for port in (*body.input, *body.output):
                    port.ClearField("type")


def carry_over(source: Path, out: Path) -> None:
    """Everything that is not the model: contract, preprocessing, labels."""
    for path in sorted(source.iterdir()):
        if not path.name.startswith(MODEL):
            copy = shutil.copytree if path.is_dir() else shutil.copyfile
            copy(path, out / path.name)


def _weight_bytes(model: ir.Model) -> int:
    graphs = (model.graph, *model.graph.subgraphs())
    tensors = (value.const_value for graph in graphs for value in graph.initializers.values())
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)
