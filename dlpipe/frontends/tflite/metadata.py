"""What the file says about itself (metadata_schema.fbs, public): labels, and how inputs are normalised.

The metadata is a FlatBuffer of its own in a buffer of the model; files that it names are in a zip archive that is
appended to the model.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..kit.flatbuffer import File, Table
from .reading import Model

_NAME = "TFLITE_METADATA"
_AXIS_LABELS, _VALUE_LABELS = 2, 3  # AssociatedFileType
_NORMALISATION = 1  # ProcessUnitOptions
_MAX_LABELS = 16 << 20  # bytes


def _tensors(model: Model, side: int) -> Iterator[Table]:
    """The descriptions of the first graph's inputs (2) or outputs (3)."""
    data = model.metadata.get(_NAME, b"")
    if len(data) < 8 or data[4:8] != b"M001":
        return
    for graph in File(data).root().tables(3):
        yield from graph.tables(side)
        return


def labels(path: Path, model: Model) -> list[str]:
    """Names of the classes, from the first file of labels that an output has. None: an empty list."""
    for tensor in _tensors(model, 3):
        for file in tensor.tables(6):
            # Of a value's labels, or of an axis's: the languages follow the one without a locale.
            if file.number(2, "int8") in (_AXIS_LABELS, _VALUE_LABELS):
                return _lines(path, file.text(0))
    return []


def _lines(path: Path, name: str) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(name).file_size > _MAX_LABELS:
                return []
            text = archive.read(name).decode("utf-8", errors="replace")
    except (KeyError, zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError, ValueError):
        return []  # the model itself is whole
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def normalisation(model: Model, names: Sequence[str]) -> dict[str, Any]:
    """Input -> mean and std per channel: the model was trained on (x - mean) / std."""
    found = {}
    for name, tensor in zip(names, _tensors(model, 2), strict=False):
        for unit in tensor.tables(4):
            options = unit.table(1)
            if unit.number(0, "uint8") == _NORMALISATION and options is not None:
                found[name] = {
                    "mean": options.array(0, "float32").tolist(),
                    "std": options.array(1, "float32").tolist(),
                }
    return found


def picture(inputs: Sequence[Mapping[str, Any]], normalised: Mapping[str, Any]) -> list[dict[str, Any]]:
    """For the contract: how a picture becomes the input, where the model has one for pictures and says so."""
    pictures = [each["name"] for each in inputs if len(each["shape"]) == 4]
    found = normalised.get(pictures[0], {}) if len(pictures) == 1 else {}
    if not found.get("mean") or not all(found.get("std") or [0]):
        return []
    source = "the model's metadata"
    steps = {"colour": "rgb", "mean": found["mean"], "std": found["std"]}
    summary = f"pictures are prepared as {source} says"
    return [{"kind": "picture", "input": pictures[0], "steps": steps, "source": source, "summary": summary}]
