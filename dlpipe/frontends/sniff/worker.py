"""Says what a file or folder is. Runs in the base toolchain: standard library only."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from .magic import by_magic
from .schemas import SCHEMAS, Reading, read

_HEAD = 4096
_EXECUTES_CODE = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}


@operation
def sniff(request: Request) -> dict[str, Any]:
    """source -> the fields of `Sniffed`. params: entry."""
    entry = request.params["entry"]
    path = Path(request.inputs["source"]) / entry
    if path.is_dir():
        return _folder(path, entry)
    return _file(path, entry)


def _folder(path: Path, entry: str) -> dict[str, Any]:
    if (path / "saved_model.pb").is_file():
        found = _file(path / "saved_model.pb", entry)
        if found["format"] != "tensorflow/saved-model":
            raise Refused(f"saved_model.pb is {found['format']}, not a SavedModel: {found['reason']}")
        return found
    if (path / "graph.nnef").is_file():
        return _named("nnef/folder", "nnef", entry, "an NNEF folder")
    names = sorted(each.name for each in path.iterdir())
    onnx = [name for name in names if name.endswith(".onnx")]
    if len(onnx) == 1:  # beside the files that hold its weights
        return _file(path / onnx[0], entry)
    holds = ", ".join(onnx[:5] or names[:5]) or "nothing"
    reason = f"a folder without saved_model.pb, graph.nnef or a single .onnx file (it holds {holds})"
    return _named("unknown", "unknown", entry, reason)


def _file(path: Path, entry: str) -> dict[str, Any]:
    size = path.stat().st_size
    if size == 0:
        return _named("unknown", "unknown", entry, "the file is empty")
    with path.open("rb") as file:
        head = file.read(_HEAD)
        found = by_magic(path, head)
        if found is not None:
            return _named(found[0], found[1], entry, found[2])
        # Not closed by hand: views of it may be alive in generators that were not read to their end.
        return _message(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), entry)


def _message(data: memoryview, entry: str) -> dict[str, Any]:
    readings = [read(data, schema) for schema in SCHEMAS]
    fitting = [reading for reading in readings if reading.fits]
    if fitting:
        return _recognised(fitting[0], entry)
    damaged = [reading for reading in readings if reading.begins and reading.broken]
    if damaged:
        best = max(damaged, key=lambda reading: sum(reading.operators.values()))
        raise Refused(
            f"{entry} begins as {best.schema.title} and is damaged or cut off: {best.broken}",
            hint="is the download or copy complete?",
        )
    titles = ", ".join(reading.schema.title for reading in readings)
    return _named("unknown", "unknown", entry, f"its content is none of {titles}, nor any other format it knows")


def _recognised(reading: Reading, entry: str) -> dict[str, Any]:
    found = _named(reading.schema.format, reading.schema.framework, entry, f"it reads as {reading.schema.title}")
    found["operators"] = dict(sorted(reading.operators.items()))
    code = sorted(_EXECUTES_CODE & set(reading.operators))
    found["risks"] = [f"the operator {name} executes Python code" for name in code]
    return found


def _named(form: str, framework: str, entry: str, reason: str) -> dict[str, Any]:
    return {
        "format": form,
        "framework": framework,
        "entry": entry,
        "version": None,
        "operators": {},
        "risks": [],
        "reason": reason,
    }
