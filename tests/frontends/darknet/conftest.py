"""Small Darknet networks: a cfg as text, weights as a list of numbers, and the whole way through the frontend."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.darknet import DarknetFrontend
from dlpipe.ir import calls

HEADER = struct.pack("<3iq", 0, 2, 5, 32000)


@dataclass
class Ran:
    """`kind`: of the reference; `note`: why it is dlpipe's own, where it is."""

    ir: Path
    contract: dict[str, Any]
    reference: dict[str, Any]
    outputs: dict[str, Any]
    interpreted: dict[str, Any]
    kind: str
    note: str

    def difference(self) -> float:
        """The import against the reference: the largest one, as a part of the output's range."""
        return self._between(self.outputs, self.reference)

    def to_interpreter(self) -> float:
        """The import against dlpipe's interpreter."""
        return self._between(self.outputs, self.interpreted)

    def _between(self, one: dict[str, Any], other: dict[str, Any]) -> float:
        worst = 0.0
        for name, wanted in other.items():
            found = one[name]
            assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
            assert np.isfinite(wanted).all()
            worst = max(worst, float(np.abs(found - wanted).max() / (np.ptp(wanted) or 1)))
        return worst


class Darknet:
    """The frontend's calls on a network."""

    entry = "net.cfg"

    def __init__(self, work: Any) -> None:
        self.work = work
        self.frontend = DarknetFrontend()
        self.sniffed = Sniffed("darknet/cfg", "darknet", self.entry)

    def source(self, cfg: str, weights: bytes | Sequence[Any], header: bytes = HEADER) -> Path:
        folder: Path = self.work.new_folder()
        (folder / self.entry).write_text(cfg)
        if not isinstance(weights, bytes):
            weights = header + b"".join(np.asarray(each, "<f4").tobytes() for each in weights)
        (folder / "net.weights").write_bytes(weights)
        return folder

    def ir(self, source: Path, **options: Any) -> Path:
        ir, _ = self.work(self.frontend.import_call(self.sniffed, ImportOptions(**options)), {"source": source})
        return Path(ir)

    def run(self, source: Path, feeds: Mapping[str, Any] | None = None, **options: Any) -> Ran:
        ir = self.ir(source, **options)
        contract = json.loads((ir / "contract.json").read_text())
        samples = self.work.new_folder()
        shape = [dim if isinstance(dim, int) else 1 for dim in contract["inputs"][0]["shape"]]
        data = np.random.default_rng(0).random([2, *shape]).astype(np.float32)
        np.savez(samples / "samples.npz", **{"data": data, **(feeds or {})})
        given = {"source": source, "imported": ir, "samples": samples}
        call = self.frontend.reference_call(self.sniffed, ImportOptions(**options))
        folder, value = self.work(call, given)
        notes = "; ".join(self.work.notes)
        own, _ = self.work(replace(call, operation="interpreted"), given)
        out, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        wanted, outputs, interpreted = (dict(np.load(each / "outputs.npz")) for each in (folder, out, own))
        return Ran(ir, contract, wanted, outputs, interpreted, value["kind"], notes)


@pytest.fixture
def darknet(work: Any) -> Darknet:
    return Darknet(work)
