"""Keras files imported, and compared with what Keras itself says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.keras import KerasFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract

FRONTEND = KerasFrontend()
FORMATS = {".keras": "keras/zip", ".json": "keras/json", ".yaml": "keras/json"}
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Imported:
    """A Keras model in the IR, and what can be asked of it."""

    work: Any
    sniffed: Sniffed
    options: ImportOptions
    source: Path
    ir: Path
    notes: list[str]

    @property
    def contract(self) -> Contract:
        return Contract.read(self.ir)

    def random_inputs(self, count: int = 3) -> Arrays:
        random = np.random.default_rng(11)
        found = {}
        for port in self.contract.inputs:
            shape = [count, *(2 if isinstance(dim, str) else dim for dim in port.shape)]
            whole = random.integers(0, 5, shape)
            found[port.name] = (whole if "int" in port.dtype else random.standard_normal(shape)).astype(port.dtype)
        return found

    def samples(self, arrays: Arrays) -> Path:
        folder: Path = self.work.new_folder()
        np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
        return folder

    def reference(self, samples: Path) -> Arrays:
        out, value = self.work(FRONTEND.reference_call(self.sniffed, self.options), self._inputs(samples))
        assert value["kind"] == "original"
        return load(out / "outputs.npz")

    def layers(self, samples: Path) -> dict[str, np.ndarray[Any, Any]]:
        out, value = self.work(FRONTEND.layers_call(self.sniffed, self.options), self._inputs(samples))
        arrays = load(out / "layers.npz")
        return {name: arrays[str(number)] for number, name in enumerate(value["layers"])}

    def seconds(self, samples: Path) -> list[float]:
        call = FRONTEND.timing_call(self.sniffed, self.options)
        call = type(call)(**{**_fields(call), "params": {**call.params, "handle": "x", "runs": 2}})
        _, value = self.work(call, self._inputs(samples))
        return list(value["seconds"])

    def _inputs(self, samples: Path) -> dict[str, Path]:
        return {"source": self.source, "imported": self.ir, "samples": samples}

    def run(self, samples: Path) -> Arrays:
        """What ONNX Runtime says of the import."""
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        return load(out / "outputs.npz")

    def worst(self, samples: Path | None = None) -> float:
        samples = samples or self.samples(self.random_inputs())
        return worst(self.run(samples), self.reference(samples))


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(path, files beside it..., options of the import)."""

    def run(path: Path, *beside: Path, version: str | None = None, **options: Any) -> Imported:
        source = work.source(path, *beside)
        sniffed = Sniffed(FORMATS.get(path.suffix, "keras/hdf5"), "keras", path.name, version=version)
        settled = ImportOptions(**options)
        ir, _ = work(FRONTEND.import_call(sniffed, settled), {"source": source})
        return Imported(work, sniffed, settled, source, ir, list(work.notes))

    return run


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def worst(found: Arrays, wanted: Arrays) -> float:
    """The largest difference, in units of that output's range."""
    assert list(found) == list(wanted)
    for name in wanted:
        assert (found[name].shape, found[name].dtype) == (wanted[name].shape, wanted[name].dtype)
    return max(float(np.abs(found[n] - wanted[n]).max() / (np.ptp(wanted[n]) or 1)) for n in wanted)


def _fields(call: Any) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__slots__}
