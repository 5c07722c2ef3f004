"""A TFLite file imported, executed by LiteRT, and its ONNX model by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.tflite import TFLiteFrontend
from dlpipe.ir import calls

FRONTEND = TFLiteFrontend()
OPTIONS = ImportOptions()
SAMPLES = 2


def sniffed(name: str) -> Sniffed:
    return Sniffed("tflite/model", "tflite", name)


@dataclass
class Compared:
    ir: Path
    contract: dict[str, Any]
    samples: dict[str, Any]
    original: dict[str, Any]
    made: dict[str, Any]
    source: Path
    samples_folder: Path

    def worst(self) -> float:
        """The largest error: of integers in steps, of floats as a share of the original's range."""
        found = 0.0
        for name, one in self.original.items():
            other = self.made[name]
            assert one.shape == other.shape
            assert one.dtype == other.dtype
            error = np.abs(one.astype(np.float64) - other.astype(np.float64)).max(initial=0)
            scale = 1 if one.dtype.kind in "iub" else float(np.ptp(one)) or 1
            found = max(found, float(error) / scale)
        return found


def made_up(port: Mapping[str, Any], random: np.random.Generator, count: int = SAMPLES) -> Any:
    shape = [count, *(1 if isinstance(dim, str) else dim for dim in port["shape"])]
    dtype = np.dtype(port["dtype"])
    if dtype.kind == "f":
        return random.standard_normal(shape).astype(dtype)
    if dtype == np.bool_:
        return random.integers(0, 2, shape).astype(dtype)
    if dtype.itemsize > 2:
        return random.integers(0, 2, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max + 1, shape).astype(dtype)


Compare = Callable[..., Compared]


@pytest.fixture
def compare(work: Any) -> Compare:
    """file or its bytes, samples (by port, or made up) -> both executed."""

    def run(
        file: Path | bytes,
        samples: Mapping[str, Any] | None = None,
        options: ImportOptions = OPTIONS,
        count: int = SAMPLES,
    ) -> Compared:
        source = work.source(model_tflite=file) if isinstance(file, bytes) else work.source(file)
        model = sniffed("model.tflite" if isinstance(file, bytes) else file.name)
        ir, contract = work(FRONTEND.import_call(model, options), {"source": source})
        random = np.random.default_rng(0)
        given = dict(samples or {port["name"]: made_up(port, random, count) for port in contract["inputs"]})
        folder = work.new_folder()
        np.savez(folder / "samples.npz", **given)
        original, value = work(
            FRONTEND.reference_call(model, options), {"source": source, "imported": ir, "samples": folder}
        )
        assert value["kind"] == "original"
        made, _ = work(calls.run_call(), {"ir": ir, "samples": folder})
        loaded = [dict(np.load(each / "outputs.npz")) for each in (original, made)]
        return Compared(ir, contract, given, *loaded, source, folder)

    return run
