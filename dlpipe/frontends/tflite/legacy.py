"""Files of early 2019, which today's interpreter refuses for a field that says nothing."""

from __future__ import annotations

import struct
from pathlib import Path

from .reading import read


def content(path: Path) -> bytes:
    """The file's bytes. Where a vector with a scale per element has the quantised dim of the weights that it belongs
    to, that dim is 0, the only one it has: no number changes."""
    axes = read(path).legacy_axes
    data = path.read_bytes()
    if not axes:
        return data
    changed = bytearray(data)
    for at in axes:
        struct.pack_into("<i", changed, at, 0)
    return bytes(changed)
