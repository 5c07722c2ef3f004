"""IR folders: load and save. Weights that a pass left alone stay in the file that they lie in, and are not copied."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx
import onnx_ir as ir

from .stored import Stored, adopt, weights

MODEL = "model.onnx"
DATA = "model.onnx.data"  # further ones are called model.onnx.data.2 and so on
CONTRACT = "contract.json"
_INLINE = 1 << 30  # bytes of weights up to which all of them lie in model.onnx
_INLINE_STORED = 256 << 20  # the same for a model that has data files: it is never larger in memory than that
_INLINE_NEW = 64 << 20  # above that: bytes of new weights up to which these lie in model.onnx
_SMALL = 1 << 10  # bytes of a weight that always lies in model.onnx
LIVE = 0.5  # the share of a data file that must still be in use for it to be handed on
COMPACT = 0.9  # the same for a pass that tidies up: gaps between weights are smaller than the rest of this
_PAGE, _LINE = 4096, 64  # weights of a MiB and more begin on a page, so that they can be mapped one by one


def load(folder: Path) -> ir.Model:
    """Weights in files of their own are not read."""
    model = ir.load(str(folder / MODEL))
    adopt(model, folder)
    return model


def save(model: ir.Model, source: Path, out: Path, live: float = LIVE) -> list[str]:
    """Write a model that was loaded from `source`: the same bytes for the same model. Returns which data files of
    `source` it goes on using; these belong beside it, and are not in `out`. What still lives of a file of which less
    than the share `live` does is copied."""
    values = list(weights(model))
    if _bytes(values) <= (_INLINE_STORED if data_files(source) else _INLINE):
        kept, large = list[str](), list[ir.Value]()
    else:
        used = _used(values)
        kept = sorted(name for name, size in used.items() if size >= live * (source / name).stat().st_size)
        large = [value for value in values if _is_large(value) and not _lies_in(value, kept)]
        if kept and _bytes(large) <= _INLINE_NEW:
            large = []
    if large:
        _write_out(large, out, _free_name(kept))
    for value in values:
        if not _lies_in(value, kept):
            _read_in(value)
    (out / MODEL).write_bytes(ir.to_proto(model).SerializeToString(deterministic=True))
    return kept


def check(out: Path, source: Path, kept: list[str]) -> None:
    """Raise unless what was written is a valid model. Data files that are not there have stand-ins meanwhile: onnx's
    checker asks for their sizes, and refuses files with a further hard link."""
    for name in kept:
        with (out / name).open("wb") as hole:
            hole.truncate((source / name).stat().st_size)
    try:
        # The path, not the bytes: a model of more than 2 GiB can only be checked in its files.
        onnx.checker.check_model(str(out / MODEL), full_check=True)
    finally:
        for name in kept:
            (out / name).unlink()


def data_files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(DATA))


def belongings(folder: Path) -> list[str]:
    """Everything that is not the model: contract, preprocessing, labels."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(MODEL))


def dead_bytes(model: ir.Model, source: Path) -> int:
    """In data files beside it that are not compact: what no weight of the model uses."""
    used = _used(weights(model))
    sizes = {name: (source / name).stat().st_size for name in data_files(source)}
    return sum(size - used[name] for name, size in sizes.items() if used[name] < COMPACT * size)


def _used(values: Iterable[ir.Value]) -> Counter[str]:
    """Bytes of each data file that weights lie in."""
    used: Counter[str] = Counter()
    for name, _, length in {value.const_value.place for value in values if isinstance(value.const_value, Stored)}:
        used[name] += length
    return used


def _write_out(values: list[ir.Value], out: Path, name: str) -> None:
    """One after the other, each as it is made or by the kernel from file to file."""
    places: dict[Any, int] = {}
    with (out / name).open("wb") as file:
        for value in values:
            tensor = value.const_value
            assert tensor is not None
            key = tensor.place if isinstance(tensor, Stored) else id(tensor)
            if key not in places:
                step = _PAGE if tensor.nbytes >= 1 << 20 else _LINE
                file.seek(-(-file.tell() // step) * step)
                places[key] = file.tell()
                tensor.tofile(file)
            value.const_value = ir.ExternalTensor(
                name, places[key], tensor.nbytes, tensor.dtype, shape=ir.Shape(tensor.shape), name=str(value.name)
            )


def _read_in(value: ir.Value) -> None:
    """What has not been written out by now lies in model.onnx."""
    tensor = value.const_value
    if isinstance(tensor, Stored):
        value.const_value = ir.Tensor(tensor.numpy().copy(), tensor.dtype, name=value.name)


def _lies_in(value: ir.Value, kept: list[str]) -> bool:
    return isinstance(value.const_value, Stored) and value.const_value.place[0] in kept


def _is_large(value: ir.Value) -> bool:
    tensor = value.const_value
    return tensor is not None and tensor.nbytes > _SMALL and tensor.dtype != ir.DataType.STRING


def _bytes(values: Iterable[ir.Value]) -> int:
    return sum(value.const_value.nbytes for value in values if value.const_value is not None)


def _free_name(taken: list[str]) -> str:
    name, number = DATA, 2
    while name in taken:
        name, number = f"{DATA}.{number}", number + 1
    return name
