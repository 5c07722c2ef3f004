"""LMDB files, read without the library: that maps the file and follows whatever stands in it, and a damaged one kills
the process. Worker side.

The format, from LMDB's own mdb.c: pages of one size; a page begins with its number, flags, and where its table of nodes
ends. The first two pages are meta pages, of which the one with the later transaction holds. Branch nodes hold page
numbers, leaf nodes the values; a large value stands in overflow pages. Numbers are little-endian, 64-bit builds'.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

from dlpipe_worker import Refused

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF, _OVERFLOW, _META = 1, 2, 4, 8
_BIG = 1  # flag of a node whose value stands in overflow pages
_HEADER = 16  # bytes of a page before its table
_NONE = 0xFFFFFFFFFFFFFFFF
_DEEPEST = 32
_MOST = 20_000_000


class Base:
    """The main data base of a file: `entries` in the order of their keys, as (key, offset, size of the value)."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        with path.open("rb") as file:
            if path.stat().st_size < 2 * _HEADER:
                raise self._damaged("it is too short")
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        root, self._page_size = self._newest_root()
        self.entries: list[tuple[bytes, int, int]] = []
        self._seen: set[int] = set()
        if root != _NONE:
            for entry in self._walk(root, 0):
                self.entries.append(entry)

    def value(self, index: int) -> bytes:
        _, start, size = self.entries[index]
        return self._data[start : start + size]

    def _newest_root(self) -> tuple[int, int]:
        """(page number of the root, size of a page)"""
        size = struct.unpack_from("<I", self._read(0, 256), _HEADER + 24)[0]
        if size not in (1 << power for power in range(9, 17)):
            raise self._damaged(f"it says that its pages have {size} bytes")
        found = []
        for number in (0, 1):
            page = self._read(number * size, 256)
            magic, version = struct.unpack_from("<II", page, _HEADER)
            if magic == _MAGIC and version == _VERSION:
                # Behind magic, version, address and map size: two data bases of 48 bytes, of which the second is the
                # main one and ends in its root; then the last page and the transaction.
                root = struct.unpack_from("<Q", page, _HEADER + 24 + 48 + 40)[0]
                found.append((struct.unpack_from("<Q", page, _HEADER + 24 + 96 + 8)[0], root))
        if not found:
            raise self._damaged("it has no meta page")
        return max(found)[1], size

    def _walk(self, number: int, depth: int) -> Iterator[tuple[bytes, int, int]]:
        if number in self._seen or depth > _DEEPEST:
            raise self._damaged(f"page {number} stands in its tree twice, or too deep")
        self._seen.add(number)
        start = number * self._page_size
        page = self._read(start, self._page_size)
        flags, lower = struct.unpack_from("<HH", page, 10)
        if flags & 0xF not in (_BRANCH, _LEAF) or not _HEADER <= lower <= self._page_size:
            raise self._damaged(f"page {number} is none of its tree")
        for at in struct.unpack_from(f"<{(lower - _HEADER) // 2}H", page, _HEADER):
            if at + 8 > self._page_size:
                raise self._damaged(f"page {number} points outside itself")
            low, high, node_flags, key_size = struct.unpack_from("<HHHH", page, at)
            value_at = at + 8 + key_size
            if flags & _BRANCH:
                yield from self._walk(low | high << 16 | node_flags << 32, depth + 1)
            elif node_flags & ~_BIG or value_at > self._page_size:
                raise self._damaged(f"page {number} holds what only a data base within a data base has")
            else:
                size = low | high << 16
                offset = self._value(page, start, value_at, size, big=bool(node_flags))
                if len(self.entries) >= _MOST:
                    raise self._damaged(f"it holds more than {_MOST:,} entries")
                yield page[at + 8 : value_at], offset, size

    def _value(self, page: bytes, start: int, at: int, size: int, *, big: bool) -> int:
        """Where a value begins in the file."""
        if big:
            if at + 8 > self._page_size:
                raise self._damaged("a value points outside its page")
            offset = int(struct.unpack_from("<Q", page, at)[0]) * self._page_size + _HEADER
        else:
            offset = start + at
        if offset + size > len(self._data) or (not big and at + size > self._page_size):
            raise self._damaged("a value lies outside the file: it is incomplete")
        return offset

    def _read(self, start: int, size: int) -> bytes:
        if start + size > len(self._data):
            raise self._damaged("it ends before its pages do")
        return self._data[start : start + size]

    def _damaged(self, why: str) -> Refused:
        return Refused(f"{self._name} is damaged, or no LMDB data base: {why}")
