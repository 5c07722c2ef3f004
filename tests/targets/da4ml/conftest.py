"""This backend's own models (see models.py), quantised by the pass that the pipeline uses, as its targets want it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dlpipe.ir.calls import run_call
from dlpipe.passes.registry import pass_call
from dlpipe.targets.registry import target
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool


@dataclass(frozen=True)
class Quantised:
    """outputs: of ONNX Runtime, of the quantised model. labels: of the samples, where they have any."""

    ir: Path
    samples: Path
    outputs: dict[str, np.ndarray]
    labels: np.ndarray | None

    def worst(self, folder: Path) -> float:
        """The largest difference to ONNX Runtime, in units of that output's range."""
        with np.load(folder / "outputs.npz") as found:
            pairs = [(found[name], wanted) for name, wanted in self.outputs.items()]
        assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
        return max(float(np.abs(a - b).max() / np.ptp(b)) for a, b in pairs)


@pytest.fixture(scope="session")
def quantised(
    toolchains: Toolchains, pool: WorkerPool, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Quantised]:
    out = tmp_path_factory.mktemp("circuits")
    python = toolchains.ensure("core").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=300)

    @cache
    def make(name: str) -> Quantised:
        samples, ir, run = out / name / "samples", out / name / "int8", out / name / "outputs"
        options = target("ecp5").options["quantisation"]
        pool.run(pass_call("quantize-int8", **options), {"ir": out / name / "float", "samples": samples}, ir, _ignore)
        pool.run(run_call(), {"ir": ir, "samples": samples}, run, _ignore)
        labels = out / f"{name}.npy"
        with np.load(run / "outputs.npz") as outputs:
            return Quantised(ir, samples, dict(outputs), np.load(labels) if labels.is_file() else None)

    return make


def _ignore(event: object) -> None:
    del event
