"""Pictures without a library: uncompressed BMP, 24 bits a pixel."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_bmp(path: Path, pixels: NDArray[np.uint8]) -> None:
    """pixels: [height, width, 3] as RGB."""
    height, width, _ = pixels.shape
    rows = np.pad(pixels[::-1, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4)))
    data = rows.astype(np.uint8).tobytes()
    head = struct.pack("<2sIHHI", b"BM", 54 + len(data), 0, 0, 54)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(data), 2835, 2835, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(head + info + data)


def write_mask(path: Path, classes: NDArray[np.uint8]) -> None:
    """classes: [height, width], as a PNG of greys."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = classes.shape
    rows = b"".join(b"\0" + row.astype(np.uint8).tobytes() for row in classes)
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    )
