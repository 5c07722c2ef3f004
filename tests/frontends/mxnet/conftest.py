"""MXNet models imported and compared with MXNet itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.mxnet import MxnetFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract

FRONTEND = MxnetFrontend()
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Imported:
    """An MXNet model in the IR, and what can be asked of it."""

    work: Any
    sniffed: Sniffed
    options: ImportOptions
    source: Path
    ir: Path
    notes: list[str]

    @property
    def contract(self) -> Contract:
        return Contract.read(self.ir)

    def samples(self, arrays: Arrays) -> Path:
        folder: Path = self.work.new_folder()
        np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
        return folder

    def random(self, count: int = 2) -> Path:
        generator = np.random.default_rng(5)
        shapes = {
            port.name: [count, *(2 if isinstance(dim, str) else dim for dim in port.shape)]
            for port in self.contract.inputs
        }
        return self.samples({name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()})

    def reference(self, samples: Path) -> Arrays:
        inputs = {"source": self.source, "imported": self.ir, "samples": samples}
        out, value = self.work(FRONTEND.reference_call(self.sniffed, self.options), inputs)
        assert value["tool"] == "mxnet 1.9.1"
        assert value["kind"] == "original"
        return load(out / "outputs.npz")

    def layers(self, samples: Path) -> tuple[list[str], Arrays]:
        inputs = {"source": self.source, "imported": self.ir, "samples": samples}
        out, value = self.work(FRONTEND.layers_call(self.sniffed, self.options), inputs)
        return value["layers"], load(out / "layers.npz")

    def run(self, samples: Path) -> Arrays:
        """What ONNX Runtime says of the import."""
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        return load(out / "outputs.npz")

    def worst(self, samples: Path) -> float:
        return worst(list(self.run(samples).values()), list(self.reference(samples).values()))


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(symbol file or folder, *files beside it, **options)."""

    def run(path: Path, *beside: Path, **options: Any) -> Imported:
        source = work.source(path, *beside)
        chosen = ImportOptions(**options)
        sniffed = Sniffed("mxnet/symbol", "mxnet", path.name)
        ir, _ = work(FRONTEND.import_call(sniffed, chosen), {"source": source})
        return Imported(work, sniffed, chosen, source, ir, list(work.notes))

    return run


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def worst(found: list[Any], wanted: list[Any]) -> float:
    """The largest difference, in units of that output's range."""
    assert [each.shape for each in found] == [each.shape for each in wanted]
    assert [each.dtype for each in found] == [each.dtype for each in wanted]
    return max(
        float(np.abs(one.astype(np.float64) - other).max() / (np.ptp(other) or 1))
        for one, other in zip(found, wanted, strict=True)
    )
