"""Small Darknet networks: a cfg as text, weights as a list of numbers, and the whole way through the frontend."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import Sniffed
from dlpipe.frontends.darknet import DarknetFrontend
from tests.frontends.interpreted import Interpreted

HEADER = struct.pack("<3iq", 0, 2, 5, 32000)


class Darknet(Interpreted):
    frontend = DarknetFrontend()
    sniffed = Sniffed("darknet/cfg", "darknet", "net.cfg")

    def draw(self, random: np.random.Generator, shape: list[int]) -> Any:
        """Pictures: from 0 to 1."""
        return random.random(shape)

    def source(self, cfg: str, weights: bytes | Sequence[Any], header: bytes = HEADER) -> Path:
        folder: Path = self.work.new_folder()
        (folder / self.entry).write_text(cfg)
        if not isinstance(weights, bytes):
            weights = header + b"".join(np.asarray(each, "<f4").tobytes() for each in weights)
        (folder / "net.weights").write_bytes(weights)
        return folder


@pytest.fixture
def darknet(work: Any) -> Darknet:
    return Darknet(work)
