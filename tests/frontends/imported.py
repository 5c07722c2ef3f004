"""A model in the IR beside its original, and what can be asked of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dlpipe.contracts.frontend import Frontend, ImportOptions, Sniffed
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract

Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Imported:
    """`tool`: what the name of the original's executor begins with."""

    work: Any
    frontend: Frontend
    tool: str | tuple[str, ...]
    sniffed: Sniffed
    options: ImportOptions
    source: Path
    ir: Path
    notes: list[str]
    free: ClassVar[int] = 2  # what a free dim is where nothing else is said
    kind: ClassVar[str | None] = "original"

    @property
    def contract(self) -> Contract:
        return Contract.read(self.ir)

    def shapes(self, count: int, **dims: int) -> dict[str, list[int]]:
        """Of samples for every input; `dims`: sizes of free dims."""
        return {
            port.name: [count, *(dims.get(dim, self.free) if isinstance(dim, str) else dim for dim in port.shape)]
            for port in self.contract.inputs
        }

    def samples(self, arrays: Arrays) -> Path:
        folder: Path = self.work.new_folder()
        np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
        return folder

    def random(self, count: int = 2, **dims: int) -> Path:
        generator = np.random.default_rng(5)
        shapes = self.shapes(count, **dims)
        return self.samples({name: generator.standard_normal(shape, np.float32) for name, shape in shapes.items()})

    def random_inputs(self, count: int = 3, **dims: int) -> Arrays:
        """By dtype: whole numbers below 5, or normal ones."""
        random = np.random.default_rng(11)
        found, shapes = {}, self.shapes(count, **dims)
        for port in self.contract.inputs:
            whole = random.integers(0, 5, shapes[port.name])
            normal = random.standard_normal(shapes[port.name])
            found[port.name] = (whole if "int" in port.dtype else normal).astype(port.dtype)
        return found

    def reference(self, samples: Path) -> Arrays:
        """What the framework says of the original."""
        out, value = self.work(self.frontend.reference_call(self.sniffed, self.options), self.given(samples))
        assert value["tool"].startswith(self.tool)
        assert value.get("kind") == self.kind
        return load(out / "outputs.npz")

    def layers(self, samples: Path) -> tuple[list[str], Arrays]:
        out, value = self.work(self.frontend.layers_call(self.sniffed, self.options), self.given(samples))
        return value["layers"], load(out / "layers.npz")

    def run(self, samples: Path) -> Arrays:
        """What ONNX Runtime says of the import."""
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        return load(out / "outputs.npz")

    def worst(self, samples: Path) -> float:
        return worst_of(self.run(samples), self.reference(samples))

    def given(self, samples: Path) -> dict[str, Path]:
        return {"source": self.source, "imported": self.ir, "samples": samples}


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def worst_of(found: Arrays, wanted: Arrays) -> float:
    """As `worst`, of outputs by name."""
    assert list(found) == list(wanted)
    return worst(list(found.values()), list(wanted.values()))


def worst(found: list[Any], wanted: list[Any]) -> float:
    """The largest difference, in units of that output's range."""
    assert [each.shape for each in found] == [each.shape for each in wanted]
    assert [each.dtype for each in found] == [each.dtype for each in wanted]
    return max(
        float(np.abs(one.astype(np.float64) - other).max() / (np.ptp(other) or 1))
        for one, other in zip(found, wanted, strict=True)
    )
