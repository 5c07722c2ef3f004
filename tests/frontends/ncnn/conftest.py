"""Small ncnn networks: layers side by side on inputs, and the whole way through the frontend."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.ncnn import NcnnFrontend
from dlpipe.ir import calls

HALF, INT8 = 0x01306B47, 0x000D4B38


def flagged(array: Any) -> bytes:
    """As the file holds weights: float32, float16 or int8, with the word before them, filled up to four bytes."""
    array = np.asarray(array)
    tag = {"float32": 0, "float16": HALF, "int8": INT8}[array.dtype.name]
    data = array.tobytes()
    return tag.to_bytes(4, "little") + data + bytes(-len(data) % 4)


def param(layers: Sequence[str]) -> bytes:
    blobs = sum(int(each.split()[3]) for each in layers)
    return f"7767517\n{len(layers)} {blobs}\n{chr(10).join(layers)}\n".encode()


class Ncnn:
    """The frontend's calls on a network."""

    entry = "net.param"

    def __init__(self, work: Any) -> None:
        self.work = work
        self.frontend = NcnnFrontend()

    def source(self, layers: Sequence[str] | bytes, weights: bytes = b"") -> Path:
        folder: Path = self.work.new_folder()
        (folder / self.entry).write_bytes(layers if isinstance(layers, bytes) else param(layers))
        (folder / "net.bin").write_bytes(weights)
        return folder

    def source_of(self, shared: Path, stem: str) -> Path:
        folder: Path = self.work.source(shared / f"{stem}.param", shared / f"{stem}.bin")
        return folder

    def ir(self, source: Path, entry: str | None = None, **options: Any) -> Path:
        sniffed = Sniffed("ncnn/param", "ncnn", entry or self.entry)
        ir, _ = self.work(self.frontend.import_call(sniffed, ImportOptions(**options)), {"source": source})
        return Path(ir)

    def run(
        self, source: Path, feeds: Mapping[str, Any] | None = None, entry: str | None = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """(what ncnn makes of it, what the import makes of it), per output [1, ...] for one sample."""
        sniffed = Sniffed("ncnn/param", "ncnn", entry or self.entry)
        ir = self.ir(source, entry, **options)
        ports = json.loads((ir / "contract.json").read_text())["inputs"]
        samples = self.work.new_folder()
        random = np.random.default_rng(0)
        made = {
            port["name"]: random.normal(size=[1, *(dim if isinstance(dim, int) else 1 for dim in port["shape"])])
            for port in ports
        }
        made.update({name: np.asarray(array)[None, None] for name, array in (feeds or {}).items()})
        np.savez(samples / "samples.npz", **{name: array.astype(np.float32) for name, array in made.items()})
        call = self.frontend.reference_call(sniffed, ImportOptions(**options))
        theirs, value = self.work(call, {"source": source, "imported": ir, "samples": samples})
        assert value["kind"] == "original"
        ours, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        wanted, found = (dict(np.load(each / "outputs.npz")) for each in (theirs, ours))
        return wanted, found


def difference(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, float]:
    """Per output the largest one, as a part of the output's range."""
    assert set(wanted) == set(found)
    apart = {}
    for name, array in wanted.items():
        assert found[name].shape == array.shape, (name, found[name].shape, array.shape)
        assert np.isfinite(array).all(), name
        apart[name] = float(np.abs(found[name] - array).max() / (max(np.ptp(array), np.abs(array).max()) or 1))
    return apart


@pytest.fixture
def ncnn(work: Any) -> Ncnn:
    return Ncnn(work)
