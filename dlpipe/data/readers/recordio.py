"""MXNet RecordIO (.rec): a labelled picture, or as many bytes, a record. Worker side, in the toolchain `data`.

The format, from MXNet's documentation of recordio: a magic word, a word with a part flag (3 bits) and a length (29),
the content padded to 4 bytes; content that holds the magic word is cut there into parts. An image record begins with
IRHeader: flag (uint32), label (float32), id, id2 (uint64); flag n > 0 says that n float32 labels follow it.
"""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from dlpipe_worker import Refused

from . import pixels
from .dataset import Dataset
from .labels import Labels, from_array
from .rows import from_rows

MAGIC = struct.pack("<I", 0xCED7230A)
_HEADER = struct.Struct("<IfQQ")
_MOST = 20_000_000
_WHOLE, _BEGIN, _MIDDLE, _END = range(4)

Place = tuple[tuple[int, int], ...]  # (offset, size) of each part of a record


def read(path: Path) -> Dataset:
    """Pictures decoded to "x"; other contents as uint8 [N, bytes], where all have one length."""
    records = _Records(path)
    count = len(records.places)
    x = (
        pixels.array(count, records.content, records.title)
        if pixels.is_picture(records.content(0))
        else from_rows(count, lambda index: np.frombuffer(records.content(index), np.uint8), records.title)
    )
    if isinstance(x, str):
        raise Refused(f"{path.name}: {x}", kind="unsupported", hint="pack them with one size (im2rec --resize)")
    labels = records.labels()
    return Dataset(
        kind="image" if len(x.shape) == 3 else "tensor",
        count=count,
        arrays={"x": x},
        labels=labels,
    )


class _Records:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.places = _index(path)

    def title(self, index: int) -> str:
        return f"{self.path.name}, record {index}"

    def content(self, index: int) -> bytes:
        """What follows the header and the labels."""
        return self._split(index)[1]

    def labels(self) -> Labels:
        found = [self._split(index)[0] for index in range(len(self.places))]
        if len({len(each) for each in found}) > 1:
            return Labels([None] * len(found), note="the records have several labels each: accuracy is unknown")
        return from_array(np.array(found, np.float32))

    def _split(self, index: int) -> tuple[list[float], bytes]:
        record = self._bytes(index)
        if len(record) < _HEADER.size:
            raise Refused(f"{self.title(index)} is damaged: it is shorter than its header")
        count, label, _, _ = _HEADER.unpack_from(record)
        start = _HEADER.size + 4 * count
        if start > len(record):
            raise Refused(f"{self.title(index)} is damaged: it claims {count:,} labels")
        if count == 0:
            return [label], record[start:]
        return np.frombuffer(record[_HEADER.size : start], "<f4").tolist(), record[start:]

    def _bytes(self, index: int) -> bytes:
        parts = []
        with self.path.open("rb") as file:
            for offset, size in self.places[index]:
                file.seek(offset)
                parts.append(file.read(size))
        return MAGIC.join(parts)  # what the writer cut at


def _index(path: Path) -> list[Place]:
    found: list[Place] = []
    open_parts: list[tuple[int, int]] = []
    end = path.stat().st_size
    with path.open("rb") as file:
        while head := file.read(8):
            title = f"{path.name}, record {len(found)}"
            if len(head) < 8 or head[:4] != MAGIC or len(found) == _MOST:
                raise Refused(f"{title} does not begin as one: the file is damaged or incomplete")
            word = struct.unpack("<I", head[4:])[0]
            part, size = word >> 29, word & ((1 << 29) - 1)
            if part > _END or (part in (_WHOLE, _BEGIN)) == bool(open_parts) or file.tell() + size > end:
                raise Refused(f"{title} is damaged or incomplete")
            open_parts.append((file.tell(), size))
            file.seek((size + 3) // 4 * 4, 1)
            if part in (_WHOLE, _END):
                found.append(tuple(open_parts))
                open_parts = []
    if open_parts or not found:
        raise Refused(f"{path.name} ends within a record, or holds none")
    return found
