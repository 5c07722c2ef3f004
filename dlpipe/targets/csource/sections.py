"""What an object file takes of flash and RAM, read from its ELF section headers (32 bits, little-endian)."""

import struct
from dataclasses import dataclass
from pathlib import Path

_ALLOCATED, _WRITABLE, _NO_BITS = 2, 1, 8
ARM = 40


@dataclass(frozen=True)
class Sizes:
    """Bytes. Data that begins with values lies in both."""

    flash: int
    ram: int


def sizes(path: Path) -> Sizes:
    """Raises ValueError for another kind of file."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x01\x01" or struct.unpack_from("<H", data, 18)[0] != ARM:
        raise ValueError(f"{path.name} is no ELF file for 32-bit Arm")
    (offset,) = struct.unpack_from("<I", data, 32)
    entry, count = struct.unpack_from("<HH", data, 46)
    flash = ram = 0
    for index in range(count):
        _, kind, flags, _, _, size = struct.unpack_from("<6I", data, offset + index * entry)
        if not flags & _ALLOCATED:
            continue
        if flags & _WRITABLE:
            ram += size
        if kind != _NO_BITS:
            flash += size
    return Sizes(flash, ram)
