"""Models of models.py, and TensorFlow models imported and compared with their originals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.tensorflow import TensorFlowFrontend
from dlpipe.ir import calls
from dlpipe.ir.contract import Contract
from dlpipe.toolchains import Toolchains

FRONTEND = TensorFlowFrontend()
Arrays = dict[str, np.ndarray[Any, Any]]


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tensorflow-models")
    python = toolchains.ensure("tensorflow").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=300, capture_output=True)
    return out


@dataclass
class Imported:
    """A TensorFlow model in the IR, and what can be asked of it."""

    work: Any
    sniffed: Sniffed
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
            shape = [count, *(1 if isinstance(dim, str) else dim for dim in port.shape)]
            whole = random.integers(0, 5, shape)
            found[port.name] = (whole if "int" in port.dtype else random.standard_normal(shape)).astype(port.dtype)
        return found

    def samples(self, arrays: Arrays) -> Path:
        folder: Path = self.work.new_folder()
        np.savez(folder / "samples.npz", allow_pickle=False, **arrays)
        return folder

    def reference(self, samples: Path) -> Arrays:
        """What TensorFlow says of the original."""
        inputs = {"source": self.source, "imported": self.ir, "samples": samples}
        out, value = self.work(FRONTEND.reference_call(self.sniffed, ImportOptions()), inputs)
        assert value["tool"].startswith("tensorflow 2.")
        return load(out / "outputs.npz")

    def run(self, samples: Path) -> Arrays:
        """What ONNX Runtime says of the import."""
        out, _ = self.work(calls.run_call(), {"ir": self.ir, "samples": samples})
        return load(out / "outputs.npz")

    def worst(self, samples: Path) -> float:
        return worst(self.run(samples), self.reference(samples))

    def preprocessed(self, data: Path) -> Path:
        out, _ = self.work(FRONTEND.preprocess_call(), {"imported": self.ir, "data": data})
        return Path(out)

    def end_to_end(self, data: Path) -> Arrays:
        inputs = {"source": self.source, "imported": self.ir, "data": data}
        out, _ = self.work(FRONTEND.end_to_end_call(self.sniffed), inputs)
        return load(out / "outputs.npz")


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(path, ...): files or a SavedModel folder, the model first."""

    def run(path: Path, *beside: Path, **options: Any) -> Imported:
        source = work.source(path, *beside)
        saved = path.is_dir()
        form = "tensorflow/saved-model" if saved else "tensorflow/graphdef"
        sniffed = Sniffed(form, "tensorflow", "." if saved else path.name)
        ir, _ = work(FRONTEND.import_call(sniffed, ImportOptions(**options)), {"source": source})
        return Imported(work, sniffed, source, ir, list(work.notes))

    return run


@pytest.fixture
def data(work: Any) -> Callable[..., Path]:
    """data(files...): as the readers of dlpipe hand files to a frontend."""

    def make(*files: Path) -> Path:
        folder: Path = work.new_folder()
        (folder / "items").mkdir()
        for number, file in enumerate(files):
            (folder / "items" / f"{number:05}{file.suffix}").write_bytes(file.read_bytes())
        (folder / "labels.json").write_text(json.dumps({"labels": [None] * len(files), "names": []}))
        return folder

    return make


def load(path: Path) -> Arrays:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def worst(found: Arrays, wanted: Arrays) -> float:
    """The largest difference, in units of that output's range."""
    assert list(found) == list(wanted)
    for name in wanted:
        assert (found[name].shape, found[name].dtype) == (wanted[name].shape, wanted[name].dtype)
    return max(float(np.abs(found[n] - wanted[n]).max() / (np.ptp(wanted[n]) or 1)) for n in wanted)
