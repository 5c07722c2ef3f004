"""The frontend's calls on a .mnn file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.mnn import MnnFrontend
from dlpipe.ir import calls

MAKING = Path(__file__).with_name("making.py")


class Mnn:
    """`entry` is the file's name in its folder."""

    def __init__(self, work: Any) -> None:
        self.work = work
        self.frontend = MnnFrontend()

    def made(self, model: Path, *options: str, files: Mapping[str, str] | None = None) -> Path:
        """A folder with net.mnn, converted from a folder's model.onnx, or from other files of it."""
        params = {"files": files or {"--modelFile": "model.onnx"}, "options": [*(options or ()), *_framework(files)]}
        folder, done = self.work(Call("mnn", MAKING, "convert", params), {"model": model})
        assert done
        return Path(folder)

    def ir(self, source: Path, entry: str = "net.mnn", version: str | None = None, **options: Any) -> Path:
        sniffed = Sniffed("mnn/model", "mnn", entry, version)
        ir, _ = self.work(self.frontend.import_call(sniffed, ImportOptions(**options)), {"source": source})
        return Path(ir)

    def run(
        self, source: Path, entry: str = "net.mnn", version: str | None = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """(what MNN makes of it, what the import makes of it), per output for two samples of normal numbers."""
        sniffed = Sniffed("mnn/model", "mnn", entry, version)
        ir = self.ir(source, entry, version, **options)
        samples = self.samples(ir)
        call = self.frontend.reference_call(sniffed, ImportOptions(**options))
        theirs, value = self.work(call, {"source": source, "imported": ir, "samples": samples})
        assert value["kind"] == "original"
        ours, _ = self.work(calls.run_call(), {"ir": ir, "samples": samples})
        wanted, found = (dict(np.load(each / "outputs.npz")) for each in (theirs, ours))
        return wanted, found

    def samples(self, ir: Path, feeds: Mapping[str, Any] | None = None) -> Path:
        ports = json.loads((ir / "contract.json").read_text())["inputs"]
        folder = Path(self.work.new_folder())
        random = np.random.default_rng(0)
        shapes: dict[str, Sequence[int]] = {
            port["name"]: [2, *(dim if isinstance(dim, int) else 1 for dim in port["shape"])] for port in ports
        }
        arrays = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        np.savez(folder / "samples.npz", **{**arrays, **(feeds or {})})
        return folder


def _framework(files: Mapping[str, str] | None) -> list[str]:
    names = " ".join((files or {}).values())
    return ["-f", "CAFFE" if "prototxt" in names else "TFLITE" if "tflite" in names else "ONNX"]


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
def mnn(work: Any) -> Mnn:
    return Mnn(work)
