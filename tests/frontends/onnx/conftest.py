"""An ONNX text is imported, and run as it came and as it was imported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.onnx import OnnxFrontend
from dlpipe.frontends.sniff import sniff_call


@dataclass(frozen=True)
class Tried:
    """`samples`, `reference` (by who `value` says) and `outputs` (of the import): name -> [N, *shape]."""

    ir: Path
    notes: list[str]
    value: Mapping[str, Any]
    samples: dict[str, Any]
    reference: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def error(self) -> float:
        """The largest difference of any output from the reference, relative to the reference's range."""
        assert sorted(self.reference) == sorted(self.outputs)
        return max(
            float(np.abs(wanted.astype(float) - self.outputs[name]).max() / max(np.ptp(wanted.astype(float)), 1e-6))
            for name, wanted in self.reference.items()
        )


Try = Callable[..., Tried]


@pytest.fixture
def try_file(bench: Any) -> Try:
    """try_file(folder, entry="model.onnx", dims={}, inputs={}) -> Tried"""

    def attempt(source: Path, entry: str = "model.onnx", *, count: int = 3, inputs: Any = None, **dims: int) -> Tried:
        frontend, notes = OnnxFrontend(), list[str]()

        def listen(event: Mapping[str, Any]) -> None:
            if event["event"] == "note":
                notes.append(event["message"])

        sniffed = Sniffed(**bench.run(sniff_call(entry), source=source)[0])
        ir = bench.folder()
        bench.pool.run(
            frontend.import_call(sniffed, ImportOptions(inputs=inputs or {})), {"source": source}, ir, listen
        )
        samples = bench.samples(ir, count, **dims)
        call = frontend.reference_call(sniffed, ImportOptions())
        value, reference = bench.run(call, source=source, imported=ir, samples=samples)
        return Tried(
            ir,
            notes,
            value,
            _arrays(samples / "samples.npz"),
            _arrays(reference / "outputs.npz"),
            bench.outputs(ir, samples),
        )

    return attempt


@pytest.fixture
def try_text(bench: Any, try_file: Try) -> Try:
    """try_text(text, **build) -> Tried; `build` as in tests/graphs/worker.py"""

    def attempt(text: str, **build: Any) -> Tried:
        return try_file(bench.build(text, **build))

    return attempt


def _arrays(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}
