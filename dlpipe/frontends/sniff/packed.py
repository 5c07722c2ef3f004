"""Archives, told apart by the names of what they pack."""

from __future__ import annotations

import re
import tarfile
import zipfile
import zlib
from pathlib import Path

from .found import Found
from .pickles import state_or_module

_ZIPPED = (
    (r"^model\.weights\.h5$", "keras/zip", "a Keras 3 archive"),
    (r"(^|/)serialized_exported_program\.json$", "pytorch/pt2", "a PyTorch ExportedProgram"),
    (r"(^|/)models/[^/]+\.json$", "pytorch/pt2", "a PyTorch ExportedProgram"),
    (r"(^|/)code/.*\.py$", "pytorch/torchscript", "a TorchScript program"),
    (r"^schema\.json$", "sklearn/skops", "a scikit-learn model (skops)"),
    (r"(^|/)graph\.nnef$", "nnef/archive", "an NNEF archive"),
    (r"^arr_\d+\.npy$", "lasagne/npz", "a list of arrays, such as Lasagne's parameters"),
)
_MOST_NAMES = 100_000
_MOST_PICKLE = 64 << 20
_LOOKED_AT = 1 << 20  # of an archive's beginning, unpacked


def in_zip(path: Path) -> Found:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:_MOST_NAMES]
            for pattern, form, title in _ZIPPED:
                if any(re.search(pattern, name) for name in names):
                    return Found(form, title)
            pickle = next((name for name in names if re.search(r"(^|/)data\.pkl$", name)), None)
            if pickle is not None:
                with archive.open(pickle) as file:
                    return state_or_module(file.read(_MOST_PICKLE))
            if names and all(name.endswith(".npy") for name in names):
                return Found("archive/npz", "a list of named arrays")
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError, zlib.error):
        return Found("archive/zip", "a damaged zip archive")
    return Found("archive/zip", "a zip archive")


def in_gzip(path: Path) -> Found:
    with path.open("rb") as file:
        try:
            head = zlib.decompressobj(wbits=31).decompress(file.read(_LOOKED_AT), _LOOKED_AT)
        except zlib.error:
            return Found("archive/gzip", "a damaged gzip archive")
    return in_tar(path) if head[257:262] == b"ustar" else Found("archive/gzip", "a gzip archive")


def in_tar(path: Path) -> Found:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:*") as archive:
            for _, member in zip(range(_MOST_NAMES), archive, strict=False):
                if re.search(r"(^|/)graph\.nnef$", member.name):
                    return Found("nnef/archive", "an NNEF archive")
    except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error):
        return Found("archive/tar", "a damaged tar archive")
    return Found("archive/tar", "a tar archive")
