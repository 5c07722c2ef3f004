"""Small NNEF networks: the text and its tensors, and the whole way through the frontend."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.nnef import NnefFrontend
from dlpipe.ir import calls

HEAD = "version 1.0;\n"
_KINDS = {"f": 0, "u": 1, "i": 4, "b": 5}


def dat(array: Any, kind: int | None = None) -> bytes:
    """A .dat file. kind: the item type, e.g. 3 for quantised integers."""
    array = np.asarray(array)
    bits = 1 if array.dtype.kind == "b" else array.dtype.itemsize * 8
    data = np.packbits(array).tobytes() if bits == 1 else array.tobytes()
    shape = [*array.shape, *[0] * (8 - array.ndim)]
    item = _KINDS[array.dtype.kind] if kind is None else kind
    return b"N\xef\x01\x00" + struct.pack("<31I", len(data), array.ndim, *shape, bits, item, *[0] * 19) + data


@dataclass
class Ran:
    contract: dict[str, Any]
    reference: dict[str, Any]
    outputs: dict[str, Any]
    kind: str

    def difference(self) -> float:
        """The largest one, as a part of the output's range."""
        worst = 0.0
        for name, wanted in self.reference.items():
            found = self.outputs[name]
            assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
            assert np.isfinite(wanted).all()
            gap = np.abs(found.astype(np.float64) - wanted.astype(np.float64)).max(initial=0.0)
            worst = max(worst, float(gap / (np.ptp(wanted.astype(np.float64)) or 1)))
        return worst


class Nnef:
    """The frontend's calls on a network."""

    def __init__(self, work: Any) -> None:
        self.work = work
        self.frontend = NnefFrontend()

    def source(self, text: str, tensors: Mapping[str, Any] | None = None, quantisation: str | None = None) -> Path:
        folder: Path = self.work.new_folder()
        (folder / "graph.nnef").write_text(text if text.startswith("version") else HEAD + text)
        for name, array in (tensors or {}).items():
            (folder / f"{name}.dat").write_bytes(array if isinstance(array, bytes) else dat(array))
        if quantisation is not None:
            (folder / "graph.quant").write_text(quantisation)
        return folder

    def sniffed(self, entry: str = ".") -> Sniffed:
        return Sniffed("nnef/folder" if entry == "." else "nnef/archive", "nnef", entry)

    def ir(self, source: Path, entry: str = ".", **options: Any) -> Path:
        call = self.frontend.import_call(self.sniffed(entry), ImportOptions(**options))
        ir, _ = self.work(call, {"source": source})
        return Path(ir)

    def run(self, source: Path, feeds: Mapping[str, Any] | None = None, entry: str = ".", **options: Any) -> Ran:
        """feeds: input's name -> [samples, *shape]."""
        ir = self.ir(source, entry, **options)
        contract = json.loads((ir / "contract.json").read_text())
        samples = self.samples(contract, feeds)
        given = {"source": source, "imported": ir, "samples": samples}
        call = self.frontend.reference_call(self.sniffed(entry), ImportOptions(**options))
        folder, value = self.work(call, given)
        return Ran(contract, dict(np.load(folder / "outputs.npz")), self.outputs(ir, samples), value["kind"])

    def samples(self, contract: Mapping[str, Any], feeds: Mapping[str, Any] | None = None) -> Path:
        random = np.random.default_rng(0)
        folder: Path = self.work.new_folder()
        found = {}
        for each in contract["inputs"]:
            shape = [2, *(dim if isinstance(dim, int) else 3 for dim in each["shape"])]
            values = random.normal(0, 1, shape)
            found[each["name"]] = (values > 0) if each["dtype"] == "bool" else values.astype(each["dtype"])
        np.savez(folder / "samples.npz", **{**found, **(feeds or {})})
        return folder

    def outputs(self, ir: Path, samples: Path) -> dict[str, Any]:
        out, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        return dict(np.load(out / "outputs.npz"))


@pytest.fixture
def nnef(work: Any) -> Nnef:
    return Nnef(work)
