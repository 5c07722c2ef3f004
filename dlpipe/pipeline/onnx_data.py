"""Which files an ONNX file keeps its weights in: exporters call them what they like, so the file itself is asked.

Read without a schema and without the weights that lie in the file; field numbers are those of the public onnx.proto.
This is the one thing that is read of an untrusted model outside the jail: names have to be known before anything can be
taken into it. Hidden files are never taken: a model may name what its user keeps beside it and would not hand out.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

from dlpipe.frontends.kit import wire

_MODEL = {7: "graph", 25: "function"}
_GRAPH = {1: "node", 5: "tensor", 15: "sparse"}
_FUNCTION = {7: "node"}
_NODE = {5: "attribute"}
_ATTRIBUTE = {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"}
_SPARSE = {1: "tensor", 2: "tensor"}
_INSIDE = {
    "model": _MODEL, "graph": _GRAPH, "function": _FUNCTION, "node": _NODE, "attribute": _ATTRIBUTE, "sparse": _SPARSE
}  # fmt: skip
_EXTERNAL_DATA, _KEY, _VALUE = 13, 1, 2
_FIRST = 0x08  # every ONNX file begins with its ir_version
MAX_DEPTH = 64


def data_files(path: Path) -> list[Path]:
    """Those that lie beside `path`, or below; none where it is no ONNX file, or a damaged one."""
    try:
        with path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return []
    if mapped[0] != _FIRST or mapped.find(b"location") < 0:
        return []
    try:
        names = sorted(set(_locations(memoryview(mapped), "model", 0)))
    except wire.Malformed:
        return []
    return [path.parent / name for name in names if _is_beside(path, name)]


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        return
    for number, form, value in wire.fields(message):
        if form != wire.BYTES or not isinstance(value, memoryview):
            continue
        if kind == "tensor":
            if number == _EXTERNAL_DATA:
                yield from _location(value)
        elif number in _INSIDE[kind]:
            yield from _locations(value, _INSIDE[kind][number], depth + 1)


def _location(entry: memoryview) -> Iterator[str]:
    found = {number: wire.text(value) for number, _, value in wire.fields(entry)}
    if found.get(_KEY) == "location" and found.get(_VALUE):
        yield str(found[_VALUE])


def _is_beside(path: Path, name: str) -> bool:
    if Path(name).is_absolute() or any(part.startswith(".") for part in Path(name).parts):
        return False
    try:
        return (path.parent / name).is_file()
    except OSError:  # no file can have that name
        return False
