"""Says what a file or folder is. Runs in the base toolchain: standard library only."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

from dlpipe_worker import Refused, Request, operation

from .flat import by_table
from .folders import in_folder
from .foreign import by_head, core_ml
from .found import Found, unknown
from .heads import HEAD
from .magic import by_magic
from .schemas import SCHEMAS, Reading, read
from .texts import by_text

_SHOWN = 40  # bytes
_EXECUTES_CODE = {"PyFunc", "PyFuncStateless", "EagerPyFunc"}
# Weights may be named in place of the network that lies beside them. Raw weights say nothing of themselves.
_WEIGHTS = {
    "caffe/caffemodel": ("caffe/prototxt",),
    "caffe2/init-net": ("caffe2/netdef", "caffe2/netdef-text"),
    "mxnet/params": ("mxnet/symbol",),
    "keras/hdf5": ("keras/json",),  # brought along only where the name says that there are weights alone
    "unknown": ("darknet/cfg", "ncnn/param", "paddle/program", "paddle/json", "tensorflow/metagraph"),
}
_MOST_BESIDE = 64  # files of a folder that are looked at


@operation
def sniff(request: Request) -> dict[str, Any]:
    """source -> the fields of `Sniffed`. params: entry."""
    entry = request.params["entry"]
    path = Path(request.inputs["source"]) / entry
    found = in_folder(path, _file) if path.is_dir() else _file(path)
    return found.as_json(entry)


def _file(path: Path) -> Found:
    try:
        found = _alone(path)
    except Refused:
        if network := _beside(path, _WEIGHTS["unknown"]):
            return network  # raw weights may look like anything
        raise
    return _beside(path, _WEIGHTS.get(found.form, ())) or found


def _beside(path: Path, forms: tuple[str, ...]) -> Found | None:
    """The network in the folder that the weights `path` belong to."""
    if not forms:
        return None
    for other in sorted(path.parent.iterdir())[:_MOST_BESIDE]:
        if other != path and other.is_file():
            try:
                found = _alone(other)
            except Refused:
                continue
            if found.form in forms:
                return found.at(other.name)
    return None


def _alone(path: Path) -> Found:
    if path.stat().st_size == 0:
        return unknown("the file is empty")
    with path.open("rb") as file:
        head = file.read(HEAD)
        found = by_magic(path, head) or by_head(path, head) or by_text(path, head)
        if found is not None:
            return found
        # Not closed by hand: views of it may be alive in generators that were not read to their end.
        return _message(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), path.name)


def _message(data: memoryview, name: str) -> Found:
    readings = [read(data, schema) for schema in SCHEMAS]
    fitting = [reading for reading in readings if reading.fits]
    if fitting:
        return _recognised(fitting[0])
    table = by_table(data)
    if table is not None:
        return table
    if found := core_ml(bytes(data[:16])):
        return found
    damaged = [reading for reading in readings if reading.begins and reading.broken]
    if damaged:
        best = max(damaged, key=lambda reading: sum(reading.operators.values()))
        raise Refused(
            f"{name} begins as {best.schema.title} and is damaged or cut off: {best.broken}",
            hint="is the download or copy complete?",
        )
    return unknown(f"its content, {_shown(bytes(data[:_SHOWN]))}, is of no format that dlpipe takes")


def _shown(head: bytes) -> str:
    """The beginning of a file, as text where it is some."""
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""  # cut within a character
    line = text.strip().split("\n")[0]
    return (
        f"text that begins with {line!r}"
        if line.isprintable() and line
        else f"bytes that begin with {head[:8].hex(' ')}"
    )


def _recognised(reading: Reading) -> Found:
    operators = {} if reading.schema.must else dict(reading.operators)
    risks = tuple(f"the operator {name} executes Python code" for name in sorted(_EXECUTES_CODE & set(operators)))
    form, title = reading.schema.format, reading.schema.title
    if form == "caffe2/netdef" and all(name.endswith("Fill") for name in operators):
        form, title = "caffe2/init-net", "a Caffe2 init net, which holds weights only"
    return Found(form, title, operators=operators, risks=risks)
