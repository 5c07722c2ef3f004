"""Parquet: one sample a row. Worker side, in the toolchain `parquet`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from dlpipe_worker import Refused
from numpy.typing import NDArray

from . import pixels
from .dataset import Dataset
from .labels import Labels, from_array, from_names
from .rows import from_rows
from .stream import Array

_CLASS = ("label", "labels", "class", "target", "y")
_LARGEST = 8 << 30  # bytes, unpacked


def read(path: Path) -> Dataset:
    """Columns of numbers together become "x", float32 [N, columns] as from CSV; a column of lists of one length, or
    of pictures ({bytes, path} or bytes), an array of its own. The column label, class, target or y holds the class, as
    a number or a name; names that Hugging Face's data sets give their classes are kept."""
    try:
        file = pq.ParquetFile(path)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > _LARGEST:
            raise Refused(f"{path.name} unpacks to more than can be read")
        table = file.read()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Refused(f"{path.name} is damaged, or no Parquet file: {str(error).splitlines()[0][:200]}") from error
    if not table.num_rows:
        raise Refused(f"{path.name} has no rows")
    label = next((name for name in table.column_names if name.lower() in _CLASS), None)
    arrays, plain, notes = dict[str, Array](), list[str](), list[str]()
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name == label:
            continue
        if _is_number(kind):
            plain.append(name)
            continue
        made = _array(table, name, kind)
        if isinstance(made, str):
            notes.append(f"{path.name}: the column {name!r} was left out: {made}")
        else:
            arrays[name] = made
    if plain:
        arrays["x"] = _plain(table, plain)
    if not arrays:
        raise Refused(f"{path.name} has no column that can be fed to a model", hint="; ".join(notes) or None)
    if len(arrays) == 1:
        arrays = {"x": next(iter(arrays.values()))}
    labels = _labels(table, label)
    kind = "image" if any(len(each.shape) == 3 for each in arrays.values()) else "tensor"
    return Dataset(kind, table.num_rows, arrays, labels=labels, notes=notes)


def _is_number(kind: Any) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _plain(table: Any, names: list[str]) -> Array:
    columns = [_whole(table, name).astype(np.float32) for name in names]
    x = np.stack(columns, axis=1)
    return Array(len(x), x.shape[1:], x.dtype, lambda: iter([x]))


def _whole(table: Any, name: str) -> NDArray[Any]:
    column = table.column(name)
    if column.null_count:
        raise Refused(f"the column {name!r} has {column.null_count} empty cells")
    return np.asarray(column.to_numpy())


def _array(table: Any, name: str, kind: Any) -> Array | str:
    def title(index: int) -> str:
        return f"row {index}, column {name!r}"

    cells = table.column(name)
    if cells.null_count:
        return f"{cells.null_count} of its cells are empty"
    if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
        cells = pa.chunked_array([chunk.field("bytes") for chunk in cells.chunks])
        kind = cells.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        if cells.null_count or not pixels.is_picture(cells[0].as_py()):
            return "bytes of an unknown kind"
        return pixels.array(table.num_rows, lambda index: bytes(cells[index].as_py()), title)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        first = np.asarray(cells[0].as_py())
        if first.dtype.kind not in "biuf":
            return f"{kind} is no array of numbers"
        return from_rows(table.num_rows, lambda index: np.asarray(cells[index].as_py(), first.dtype), title)
    return f"{kind} is no number"


def _labels(table: Any, name: str | None) -> Labels:
    if name is None:
        return Labels()
    values = table.column(name).to_pylist()
    if all(isinstance(value, str) or value is None for value in values):
        return from_names([value or "" for value in values])
    if any(value is None for value in values):
        return Labels([value if isinstance(value, int) else None for value in values], _class_names(table, name))
    found = from_array(np.asarray(values))
    return replace(found, names=_class_names(table, name)) if found.truth == "class" else found


def _class_names(table: Any, name: str) -> list[str] | None:
    """Where Hugging Face's `datasets` writes them."""
    try:
        info = json.loads((table.schema.metadata or {})[b"huggingface"])
        names = info["info"]["features"][name]["names"]
    except (KeyError, ValueError, TypeError):
        return None
    return [str(each) for each in names] if isinstance(names, list) else None
