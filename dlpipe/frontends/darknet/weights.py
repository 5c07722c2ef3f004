"""The weights: a header and float32 numbers in the order of the layers, with nothing that says whose they are."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused


class Weights:
    """A cursor over the numbers. `transposed`: matrices of fully connected layers lie the other way round."""

    def __init__(self, path: Path) -> None:
        """Raises Refused for a file that is too short for a header, or holds no whole numbers."""
        self._name = path.name
        data = path.read_bytes()
        if len(data) < 16:
            raise Refused(f"{path.name} has {len(data)} bytes, too few for Darknet weights")
        major, minor, _ = struct.unpack_from("<3i", data)
        if not (0 <= major < 10_000 and 0 <= minor < 10_000):
            raise Refused(f"{path.name} says version {major}.{minor}, so it is no Darknet weights file")
        self.transposed = major > 1000 or minor > 1000
        wide = major * 10 + minor >= 2 and major < 1000 and minor < 1000  # the number of pictures seen: 8 bytes
        start = 20 if wide else 16
        if (len(data) - start) % 4:
            raise Refused(f"{path.name} ends within a number", hint="is the download or copy complete?")
        self._numbers = np.frombuffer(data, "<f4", offset=start) if len(data) > start else np.zeros(0, "<f4")
        self._at = 0

    def take(self, shape: Sequence[int], layer: str) -> Any:
        """The next numbers. Raises Refused where the file ends before them."""
        size = math.prod(shape)
        left = self._numbers.size - self._at
        if size > left:
            raise Refused(
                f"{layer} needs {size:,} weights and {self._name} has {left:,} left",
                node=layer,
                hint="do the cfg and the weights belong together?",
            )
        found = self._numbers[self._at : self._at + size].reshape(shape)
        self._at += size
        return found.astype(np.float32, copy=False)

    def finish(self) -> None:
        """Raises Refused where numbers are left that no layer took: the two files are not of one network."""
        left = self._numbers.size - self._at
        if left:
            raise Refused(
                f"{self._name} holds {left:,} numbers more than the cfg's layers have weights",
                hint="do the cfg and the weights belong together?",
            )


def find_weights(source: Path, entry: str) -> Path:
    """The one weights file beside the cfg. Raises Refused where there is none, or several."""
    found = sorted((source / entry).parent.glob("*.weights"))
    named = [each for each in found if each.stem == Path(entry).stem]
    if len(named or found) == 1:
        return (named or found)[0]
    if found:
        raise Refused(f"there are {len(found)} weights beside {entry}: {', '.join(each.name for each in found)}")
    raise Refused(f"there are no weights beside {entry}", hint="a cfg says how a network computes, not its weights")
