"""An ONNX file that the user gives becomes an IR folder."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from dlpipe_worker import Refused

from .. import carried
from . import checking, describing, files, ortformat, resolution, standardising, walk

NEWEST_IR = 10  # the file format's version that every consumer reads; newer ones only add element types
INLINE_LIMIT = 1 << 30  # bytes of weights from which they go to a file of their own


def import_model(
    source: Path, entry: str, out: Path, note: Callable[[str], None], shapes: Mapping[str, Any]
) -> dict[str, Any]:
    """Checks the file and writes `model.onnx` (+ `model.onnx.data`) and `contract.json` into `out`.

    shapes: the user's, of inputs of which the file does not even tell how many axes they have.

    Old files list their weights among the inputs; these are taken off, since nobody feeds them. Nodes get names,
    so that every message can name one. What is not standard becomes so; `note` is told of it.
    """
    main = main_file(source, entry)
    found = files.read(main)  # refuses what is no model or reaches outside, before anything is copied
    untold = _untold(found, shapes)
    change = bool(untold) or standardising.is_needed(found)
    with apart(main, out, always=change) as path:
        if change:
            for line in _standardise(path, {name: shapes[name] for name in untold}):
                note(line)
        inferred = checking.check(path)
        model = onnx.load_model(str(path), "protobuf")
    return _write_folder(model, inferred, out)


def import_ort(source: Path, entry: str, out: Path, note: Callable[[str], None]) -> dict[str, Any]:
    """The same for a model in ONNX Runtime's own format."""
    with TemporaryDirectory(dir=out) as folder:
        path = Path(folder) / files.MODEL
        for line in ortformat.read_back(source / entry, path):
            note(line)
        inferred = checking.check(path)
        model = onnx.load_model(str(path), "protobuf")
    return _write_folder(model, inferred, out)


def _write_folder(model: Any, inferred: Any, out: Path) -> dict[str, Any]:
    _take_weights_off_inputs(model)
    _name_nodes(model.graph)
    model.ir_version = min(model.ir_version, NEWEST_IR)
    _save(model, out / files.MODEL, files.DATA)
    _refuse_containers(inferred.graph)
    resolved = resolution.resolutions(model)
    contract: dict[str, Any] = {
        "version": "dlpipe.io/1",
        "inputs": describing.ports(inferred.graph, "input"),
        "outputs": describing.ports(inferred.graph, "output"),
        "preprocessing": [],
        "labels": [],
        "metadata": {"resolution": resolved} if resolved else {},
    }
    pictures = [port["name"] for port in contract["inputs"] if len(port["shape"]) == 4]
    steps = carried.properties({each.key: each.value for each in model.metadata_props})
    if steps is not None and len(pictures) == 1:
        contract["preprocessing"].append(carried.part(pictures[0], steps, "the model's metadata"))
    for port in contract["inputs"]:
        if port["shape"] == ["*"]:
            raise Refused(
                f"input {port['name']!r} has no shape", kind="unsupported", hint="give it: --input name:shape"
            )
    files.write_json(out / "contract.json", contract)
    return contract


@contextmanager
def apart(main: Path, out: Path, *, always: bool = False) -> Iterator[Path]:
    """The file, in a copy of its folder where weights lie beside it: onnx takes a file with a further hard link, as
    the store's have, for an attack. The copy may be changed, and is gone when the block ends."""
    if not always and not any(each != main for each in main.parent.iterdir()):
        yield main
        return
    with TemporaryDirectory(dir=out) as folder:
        copy = Path(shutil.copytree(main.parent, Path(folder) / "source"))
        for path in copy.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield copy / main.name


def main_file(source: Path, entry: str) -> Path:
    if entry != ".":
        return source / entry
    found = sorted(source.glob("*.onnx"))
    if len(found) != 1:
        raise Refused(f"one .onnx file is wanted, and there are {len(found)}: {[path.name for path in found]}")
    return found[0]


def _untold(model: Any, shapes: Mapping[str, Any]) -> list[str]:
    """Inputs without a shape. Raises Refused where nobody gives one, or for one that the file has."""
    stored = {tensor.name for tensor in model.graph.initializer}
    fed = {each.name: each for each in model.graph.input if each.name not in stored}
    untold = [name for name, value in fed.items() if walk.dims(value) is None and value.type.HasField("tensor_type")]
    for name in untold:
        if not shapes.get(name):
            raise Refused(
                f"input {name!r} has no shape", kind="unsupported", hint=f"give it: --input {name}:1x3x224x224"
            )
    for name in shapes:
        if name not in fed:
            raise Refused(f"the model has no input {name!r}", hint=f"its inputs: {', '.join(fed) or 'none'}")
        if name not in untold:
            hint = "leave --input out; --shape gives sizes to free dims"
            raise Refused(f"the file itself tells the shape of its input {name!r}", kind="unsupported", hint=hint)
    return untold


def _standardise(path: Path, shapes: Mapping[str, Any]) -> list[str]:
    """Changes the file; returns what was done."""
    checking.refuse_cycles(files.read(path).graph)
    model = onnx.load_model(str(path), "protobuf")
    _take_weights_off_inputs(model)
    for value in model.graph.input:
        if value.name in shapes:
            kind = value.type.tensor_type.elem_type
            value.CopyFrom(onnx.helper.make_tensor_value_info(value.name, kind, shapes[value.name]))
    _name_nodes(model.graph)
    model, notes = standardising.standardise(model)
    _save(model, path, f"{path.name}.standard")
    return notes


def _save(model: Any, path: Path, data: str) -> None:
    size = sum(len(tensor.raw_data) for tensor in model.graph.initializer)
    large = size > INLINE_LIMIT
    onnx.save_model(model, str(path), "protobuf", save_as_external_data=large, location=data if large else None)


def _refuse_containers(graph: Any) -> None:
    for side in ("input", "output"):
        for value in getattr(graph, side):
            kind = value.type.WhichOneof("value")
            if kind not in (None, "tensor_type"):
                what = str(kind).removesuffix("_type").replace("_", " ")
                raise Refused(
                    f"{side} {value.name!r} is a {what}: only tensors can be fed and compared",
                    kind="unsupported",
                    hint="split it into tensors in the model's own framework, and export again",
                )


def _take_weights_off_inputs(model: Any) -> None:
    stored = {tensor.name for tensor in model.graph.initializer}
    kept = [value for value in model.graph.input if value.name not in stored]
    if len(kept) < len(model.graph.input):
        del model.graph.input[:]
        model.graph.input.extend(kept)
    model.ir_version = max(model.ir_version, 4)  # the first in which weights need not be inputs


def _name_nodes(graph: Any) -> None:
    taken = {node.name for node in graph.node}
    for index, node in enumerate(graph.node):
        if not node.name:
            name = f"{node.op_type}_{index}"
            while name in taken:
                name += "_"
            node.name = name
            taken.add(name)
