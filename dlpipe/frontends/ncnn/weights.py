"""The .bin file: weights in the order of the layers, each with a word before it that says how it is stored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

HALF, INT8, RAW = 0x01306B47, 0x000D4B38, 0x0002C056
_TABLE = 256  # float32 numbers that bytes stand for


class Weights:
    """A cursor over the file."""

    def __init__(self, path: Path) -> None:
        self._name = path.name
        self._data = path.read_bytes()
        self._at = 0

    def flagged(self, shape: Sequence[int], layer: str) -> Any:
        """The next array: float32, or int8 where it is stored so. Raises Refused where the file ends before it."""
        size = math.prod(shape)
        tag = int(self._take(1, "<u4", layer)[0])
        if tag == HALF:
            found = self._take(size, "<f2", layer).astype(np.float32)
        elif tag == INT8:
            found = self._take(size, "<i1", layer)
        elif tag in (0, RAW):
            found = self._take(size, "<f4", layer).astype(np.float32, copy=False)
        elif tag & 0xFF:
            table = self._take(_TABLE, "<f4", layer)
            found = table[self._take(size, "<u1", layer)].astype(np.float32, copy=False)
        else:
            raise Refused(f"{layer}: its weights are stored in a way ({tag:#010x}) that is not known", node=layer)
        return found.reshape(shape)

    def plain(self, shape: Sequence[int], layer: str) -> Any:
        """The next array of float32, stored without such a word."""
        return self._take(math.prod(shape), "<f4", layer).astype(np.float32, copy=False).reshape(shape)

    def finish(self) -> None:
        """Raises Refused where bytes are left that no layer took: the two files are not of one network."""
        left = len(self._data) - self._at
        if left:
            raise Refused(
                f"{self._name} holds {left:,} bytes more than the network's layers have weights",
                hint="do the .param and the .bin file belong together?",
            )

    def _take(self, count: int, dtype: str, layer: str) -> Any:
        size = count * np.dtype(dtype).itemsize
        left = len(self._data) - self._at
        if size > left:
            raise Refused(
                f"layer {layer} needs {size:,} bytes of weights and {self._name} has {left:,} left",
                node=layer,
                hint="do the .param and the .bin file belong together?",
            )
        found = np.frombuffer(self._data, dtype, count, self._at)
        self._at = min(self._at + (size + 3) // 4 * 4, len(self._data))
        return found


def find_weights(source: Path, entry: str) -> Path:
    """The one .bin file beside the .param file. Raises Refused where there is none, or several."""
    found = sorted((source / entry).parent.glob("*.bin"))
    named = [each for each in found if each.stem == Path(entry).stem]
    if len(named or found) == 1:
        return (named or found)[0]
    if found:
        raise Refused(f"there are {len(found)} .bin files beside {entry}: {', '.join(each.name for each in found)}")
    raise Refused(f"there is no .bin file beside {entry}", hint="a .param file says how a network computes, no weights")
