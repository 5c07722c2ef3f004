"""Which Keras wrote a file, and on which backend: "2.2.5", or "2.2.5 on theano"."""

from __future__ import annotations

import mmap
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .found import Found

HDF5 = b"\x89HDF\r\n\x1a\n"
# Keras wrote these attributes as bytes of fixed length: they stand in the file behind their names, with 16 to 40
# bytes of type and size between. Newer ones are kept elsewhere, and not found: on Theano there were none.
_VERSION = re.compile(rb"keras_version\x00.{0,64}?(\d+\.\d+\.\d+)", re.DOTALL)
_BACKEND = re.compile(rb"backend\x00.{0,64}?(theano|tensorflow|cntk)", re.DOTALL)


def in_hdf5(path: Path) -> Found:
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        found = {}
        for key, expression in (("keras_version", _VERSION), ("backend", _BACKEND)):
            match = expression.search(data)
            if match:
                found[key] = match[1].decode()
    return Found("keras/hdf5", "an HDF5 file, such as Keras writes", version=written_by(found))


def written_by(said: Mapping[str, Any]) -> str | None:
    """`said`: keras_version and backend, as far as they are known."""
    version, backend = said.get("keras_version"), said.get("backend")
    if backend == "theano":
        return f"{version or '?'} on theano"
    return version if isinstance(version, str) else None
