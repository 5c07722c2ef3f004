"""Archives that are made to hurt whoever unpacks them: small files that promise, or are, very large ones."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

_BLOCK = 16 << 20


def deflated_zeros(size: int, head: bytes = b"") -> bytes:
    """`head` and then zeros, `size` bytes of them in a thousandth of it; a multiple of 16 MiB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    begun = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(_BLOCK)) + packer.flush(zlib.Z_FULL_FLUSH)
    return begun + block * (size // _BLOCK) + packer.flush()


def gzip_of(size: int, head: bytes = b"") -> bytes:
    """Its checksum is wrong, which only whoever has unpacked everything finds out."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated_zeros(size, head) + struct.pack("<II", 0, size & 0xFFFFFFFF)


def zip_of(names: Sequence[str], size: int, head: bytes = b"", said: int | None = None) -> bytes:
    """Every name is the same content, which is there once. said: how large the archive says that it is."""
    content, claimed = deflated_zeros(size, head), min(size + len(head) if said is None else said, 0xFFFFFFFE)
    fields = struct.pack("<HHHHHIII", 20, 0, 8, 0, 0x21, 0, len(content), claimed)
    first = names[0].encode()
    local = b"PK\3\4" + fields + struct.pack("<HH", len(first), 0) + first
    central = b"".join(
        b"PK\1\2" + struct.pack("<H", 20) + fields + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name
        for name in map(str.encode, names)
    )
    counts = min(len(names), 0xFFFF)
    end = struct.pack("<HHHHIIH", 0, 0, counts, counts, len(central), len(local) + len(content), 0)
    return local + content + central + b"PK\5\6" + end


def nested_zip(depth: int) -> bytes:
    content = bytes(_BLOCK)
    for _ in range(depth):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(16):
                archive.writestr(f"{number}.zip", content)
        content = made.getvalue()
    return content


def hostile_tar(graph: str, outside: Path) -> bytes:
    """A model whose weights are links, and beside it names, links and devices that lead out of any folder."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=tarfile.GNU_FORMAT) as archive:

        def add(name: str, kind: bytes = tarfile.REGTYPE, to: str = "", content: bytes = b"") -> None:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname, entry.size, entry.mode = kind, to, len(content), 0o4777
            entry.devmajor, entry.devminor = 1, 3
            archive.addfile(entry, io.BytesIO(content))

        add("graph.nnef", content=graph.encode())
        add(f"{outside}/absolute", content=b"written")
        add("../../../../../../../../../.." + f"{outside}/relative", content=b"written")
        add("folder", tarfile.SYMTYPE, str(outside))
        add("folder/through", content=b"written")
        add("w.dat", tarfile.SYMTYPE, "/etc/passwd")
        add("v.dat", tarfile.LNKTYPE, "/etc/passwd")
        add("null", tarfile.CHRTYPE)
        add("disk", tarfile.BLKTYPE)
        add("pipe", tarfile.FIFOTYPE)
    return made.getvalue()
