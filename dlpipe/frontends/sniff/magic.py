"""Formats that say what they are in their first bytes, or in the names of what they pack."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

_MAGIC = (
    (0, b"\x89HDF\r\n\x1a\n", "keras/hdf5", "keras", "an HDF5 file, such as Keras writes"),
    (4, b"TFL3", "tflite/model", "tflite", "a TFLite model"),
    (4, b"ORTM", "onnx/ort", "onnx", "a model in ONNX Runtime's own format"),
    (0, b"\x80\x02", "python/pickle", "python", "a Python pickle, which executes code when it is read"),
    (0, b"\x80\x04", "python/pickle", "python", "a Python pickle, which executes code when it is read"),
    (0, b"\x1f\x8b", "archive/gzip", "archive", "a gzip archive"),
)
_PACKED = (
    (r"(^|/)data\.pkl$", "pytorch/zip", "pytorch", "a PyTorch archive"),
    (r"^model\.weights\.h5$", "keras/zip", "keras", "a Keras 3 archive"),
    (r"(^|/)serialized_exported_program\.json$", "pytorch/pt2", "pytorch", "a PyTorch ExportedProgram"),
)
_TEXTS = (
    (rb"\A\s*(#[^\n]*\n\s*)*node\s*\{", "tensorflow/graphdef-text", "tensorflow", "a TensorFlow GraphDef as text"),
    (rb"\A\s*version\s+1\.\d\s*;", "nnef/text", "nnef", "an NNEF graph"),
    (rb"\A\s*(#[^\n]*\n\s*)*(name\s*:|layers?\s*\{|input\s*:)", "caffe/prototxt", "caffe", "a Caffe prototxt"),
)

Found = tuple[str, str, str]  # format, framework, title


def by_magic(path: Path, head: bytes) -> Found | None:
    for offset, magic, *found in _MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return found[0], found[1], found[2]
    if head[:4] == b"PK\x03\x04":
        return _packed(path)
    for pattern, *found in _TEXTS:
        if re.match(pattern, head):
            return found[0], found[1], found[2]
    return None


def _packed(path: Path) -> Found:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "archive/zip", "archive", "a damaged zip archive"
    for pattern, *found in _PACKED:
        if any(re.search(pattern, name) for name in names):
            return found[0], found[1], found[2]
    return "archive/zip", "archive", "a zip archive"
