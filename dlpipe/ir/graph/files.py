"""Read an ONNX file that nobody vouches for, and write small files that are the same bytes every time."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
from dlpipe_worker import Refused
from google.protobuf.message import DecodeError

from . import walk

MODEL = "model.onnx"
DATA = "model.onnx.data"
_IN_PROTOBUF = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data", "string_data")


def read(path: Path) -> Any:
    """The ModelProto without its external data. Raises Refused for what is not a whole, honest ONNX model."""
    if not path.is_file():
        raise Refused(f"{path.name} is not there", hint="name the .onnx file")
    try:
        model = onnx.load_model(str(path), "protobuf", load_external_data=False)  # whatever its suffix is
    except (DecodeError, ValueError, RecursionError) as error:
        raise Refused(f"{path.name} is not a whole ONNX file: {error}") from error
    if model.ir_version <= 0 or not model.graph.output:
        raise Refused(f"{path.name} is not an ONNX model: it has no IR version or no graph outputs")
    if any(isinstance(text, bytes) for text in _names(model)):  # so protobuf hands out what is no UTF-8
        raise Refused(f"{path.name} is damaged: a name in it is not UTF-8")
    for tensor, node in walk.tensors(model):
        _check_tensor(path.parent, tensor, node)
    return model


def read_whole(path: Path) -> Any:
    """The ModelProto with its external data in it. onnx's own loader takes a data file with a further hard link, as the
    store's have, for an attack. Raises Refused as `read`."""
    model = read(path)
    for tensor, _ in walk.tensors(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            entries = {entry.key: entry.value for entry in tensor.external_data}
            with (path.parent / entries["location"]).open("rb") as file:
                file.seek(int(entries.get("offset", 0)))
                tensor.raw_data = file.read(int(entries.get("length", -1)))
            tensor.ClearField("external_data")
            tensor.ClearField("data_location")
    return model


def _names(model: Any) -> Iterator[Any]:
    for graph in walk.graphs(model.graph):
        yield graph.name
        for value in (*graph.input, *graph.output, *graph.value_info):
            yield value.name
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)
        yield from (tensor.name for tensor in graph.initializer)
    for node in walk.nodes(model):
        yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _check_tensor(folder: Path, tensor: Any, node: Any) -> None:
    """What a tensor declares must be what is stored, and it must be stored in this folder."""
    where = {"node": node.name, "op": node.op_type} if node is not None else {}
    if tensor.data_type not in onnx.TensorProto.DataType.values() or tensor.data_type == onnx.TensorProto.UNDEFINED:
        raise Refused(f"tensor {tensor.name!r} has no known element type", **where)
    if any(size < 0 for size in tensor.dims):
        raise Refused(f"tensor {tensor.name!r} has a negative size", **where)
    count = walk.elements(tensor.dims)
    size = (count * walk.item_bits(tensor.data_type) + 7) // 8
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        stored = _external_size(folder, tensor, where)
    elif tensor.HasField("raw_data"):
        stored = len(tensor.raw_data)
    else:
        # Small types are widened in these fields, so only the count of entries can be too small.
        entries = sum(len(getattr(tensor, field)) for field in _IN_PROTOBUF)
        stored = size if entries * 16 >= count else entries
    if stored < size:
        raise Refused(f"tensor {tensor.name!r} declares {size} bytes and holds {stored}", **where)


def _external_size(folder: Path, tensor: Any, where: dict[str, str]) -> int:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    root = folder.resolve()
    path = root / location
    inside = location and not Path(location).is_absolute() and path.resolve().is_relative_to(root)
    if not inside or ".." in Path(location).parts:
        raise Refused(f"tensor {tensor.name!r} wants a file outside the model's folder: {location!r}", **where)
    if not path.is_file():
        raise Refused(f"the file {location!r} with the data of tensor {tensor.name!r} is not there", **where)
    try:
        offset, total = int(entries.get("offset", 0)), path.stat().st_size
        length = int(entries.get("length", total - offset))
    except ValueError as error:
        raise Refused(f"tensor {tensor.name!r} has a damaged reference to {location!r}", **where) from error
    if offset < 0 or length < 0 or offset + length > total:
        raise Refused(f"tensor {tensor.name!r} lies outside the file {location!r}", **where)
    return length


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
