"""Paddle programs imported and compared with Paddle itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.paddle import PaddleFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract

FRONTEND = PaddleFrontend()
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Imported:
    """A program in the IR, and what can be asked of it."""

    work: Any
    sniffed: Sniffed
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

    def random(self, count: int = 2, **dims: int) -> Path:
        generator = np.random.default_rng(5)
        shapes = {
            port.name: [count, *(dims.get(dim, 2) if isinstance(dim, str) else dim for dim in port.shape)]
            for port in self.contract.inputs
        }
        return self.samples({name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()})

    def reference(self, samples: Path) -> Arrays:
        inputs = {"source": self.source, "imported": self.ir, "samples": samples}
        out, value = self.work(FRONTEND.reference_call(self.sniffed, ImportOptions()), inputs)
        assert value["tool"].startswith("paddle 3.")
        return load(out / "outputs.npz")

    def layers(self, samples: Path) -> tuple[list[str], Arrays]:
        inputs = {"source": self.source, "imported": self.ir, "samples": samples}
        out, value = self.work(FRONTEND.layers_call(self.sniffed, ImportOptions()), inputs)
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
    """imported(program file, *files beside it, **options)."""

    def run(path: Path, *beside: Path, **options: Any) -> Imported:
        source = work.source(path, *beside)
        form = "paddle/json" if path.suffix == ".json" else "paddle/program"
        sniffed = Sniffed(form, "paddle", path.name)
        ir, _ = work(FRONTEND.import_call(sniffed, ImportOptions(**options)), {"source": source})
        return Imported(work, sniffed, source, ir, list(work.notes))

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
