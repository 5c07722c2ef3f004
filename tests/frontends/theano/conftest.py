"""Files of Theano's and Lasagne's imported, and compared with what Theano says of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.theano import TheanoFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract

FRONTEND = TheanoFrontend()
Arrays = dict[str, np.ndarray[Any, Any]]


@dataclass
class Imported:
    """A model in the IR, and what can be asked of it."""

    work: Any
    sniffed: Sniffed
    options: ImportOptions
    source: Path
    ir: Path

    @property
    def contract(self) -> Contract:
        return Contract.read(self.ir)

    def random_inputs(self, count: int = 2, **dims: int) -> Arrays:
        random = np.random.default_rng(11)
        found = {}
        for port in self.contract.inputs:
            shape = [count, *(dims.get(dim, 2) if isinstance(dim, str) else dim for dim in port.shape)]
            whole = random.integers(0, 5, shape)
            found[port.name] = (whole if "int" in port.dtype else random.standard_normal(shape)).astype(port.dtype)
        return found

    def samples(self, arrays: Arrays) -> Path:
        folder: Path = self.work.new_folder()
        np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
        return folder

    def run(self, samples: Path) -> Arrays:
        """What ONNX Runtime says of the import."""
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        return load(out / "outputs.npz")

    def original(self, samples: Path, operation: str = "reference") -> tuple[Path, Any]:
        call = getattr(FRONTEND, f"{operation}_call")(self.sniffed, self.options)
        out, value = self.work(call, {"source": self.source, "imported": self.ir, "samples": samples})
        return out, value

    def worst(self, samples: Path) -> float:
        """The largest difference from Theano, in units of that output's range."""
        found, wanted = self.run(samples), load(self.original(samples)[0] / "outputs.npz")
        assert list(found) == list(wanted)
        for name in wanted:
            assert (found[name].shape, found[name].dtype) == (wanted[name].shape, wanted[name].dtype)
        return max(float(np.abs(found[n] - wanted[n]).max() / (np.ptp(wanted[n]) or 1)) for n in wanted)


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(path, layers={...} written beside it, options of the import)."""

    def run(path: Path, layers: Any = None, **options: Any) -> Imported:
        source = work.source(path)
        if layers is not None:
            (source / f"{path.stem}.layers.json").write_text(json.dumps(layers))
        form = "lasagne/npz" if path.suffix == ".npz" else "theano/pickle"
        sniffed, settled = Sniffed(form, form.split("/")[0], path.name), ImportOptions(**options)
        ir, _ = work(FRONTEND.import_call(sniffed, settled), {"source": source})
        return Imported(work, sniffed, settled, source, ir)

    return run


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)
