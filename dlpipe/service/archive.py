"""An output folder as one ZIP archive, made while it is sent: nothing of it is on the disk or whole in memory."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_BLOCK = 1 << 20


def zipped(folder: Path, top: str, names: Iterable[str]) -> Iterator[bytes]:
    """names: of files below `folder`; in the archive they lie below `top`. Stored as they are: weights hardly shrink.
    The same files give the same bytes."""
    out = _Pipe()
    with zipfile.ZipFile(out, "w") as archive:  # type: ignore[call-overload]  # it only writes, and asks nothing else
        for name in names:
            entry = zipfile.ZipInfo(f"{top}/{name}")
            entry.external_attr = 0o100644 << 16
            entry.file_size = (folder / name).stat().st_size  # so that it knows whether sizes need 64 bits
            with (folder / name).open("rb") as file, archive.open(entry, "w") as into:
                while block := file.read(_BLOCK):
                    into.write(block)
                    yield out.taken()
    yield out.taken()


class _Pipe:
    """Takes bytes and hands them on: `zipfile` writes to what cannot be sought in, too."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found
