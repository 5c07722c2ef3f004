"""Models of models.py, and TensorFlow models imported and compared with their originals."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.tensorflow import TensorFlowFrontend
from dlpipe.toolchains import Toolchains
from tests.frontends.imported import Arrays, Imported, load
from tests.frontends.imported import worst_of as worst

__all__ = ["FRONTEND", "Import", "TensorFlowImported", "load", "worst"]

FRONTEND = TensorFlowFrontend()


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tensorflow-models")
    python = toolchains.ensure("tensorflow").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=300, capture_output=True)
    return out


@dataclass
class TensorFlowImported(Imported):
    """A TensorFlow model in the IR, and what was cut off before it."""

    free: ClassVar[int] = 1
    kind: ClassVar[str | None] = None  # its worker says nothing of it, which means the original

    def preprocessed(self, data: Path) -> Path:
        out, _ = self.work(self.frontend.preprocess_call(), {"imported": self.ir, "data": data})
        return Path(out)

    def end_to_end(self, data: Path) -> Arrays:
        inputs = {"source": self.source, "imported": self.ir, "data": data}
        out, _ = self.work(self.frontend.end_to_end_call(self.sniffed), inputs)
        return load(out / "outputs.npz")


Import = Callable[..., TensorFlowImported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(path, ...): files or a SavedModel folder, the model first."""

    def run(path: Path, *beside: Path, **options: Any) -> TensorFlowImported:
        source = work.source(path, *beside)
        saved = path.is_dir()
        form = "tensorflow/saved-model" if saved else "tensorflow/graphdef"
        sniffed = Sniffed(form, "tensorflow", "." if saved else path.name)
        chosen = ImportOptions(**options)
        ir, _ = work(FRONTEND.import_call(sniffed, chosen), {"source": source})
        return TensorFlowImported(work, FRONTEND, "tensorflow 2.", sniffed, chosen, source, ir, list(work.notes))

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
