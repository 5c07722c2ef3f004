"""Models made by the core toolchain, and the calls of backends executed by jailed workers."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.backend import Backend, Target
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool
from tests import working

REAL = {"faces": "ultraface/version-RFB-320_simplified.onnx"}


@dataclass(frozen=True)
class Model:
    ir: Path
    samples: Path
    reference: Path

    def worst(self, outputs: Path) -> float:
        """The largest difference to the reference, in units of that output's range."""
        with np.load(outputs / "outputs.npz") as found, np.load(self.reference) as wanted:
            pairs = list(zip(found.values(), wanted.values(), strict=True))
        assert all(a.shape == b.shape and a.dtype == b.dtype for a, b in pairs)
        return max(float(np.abs(a - b).max() / (np.ptp(b) or 1)) for a, b in pairs)

    def apart(self, answers: Sequence[np.ndarray]) -> float:
        """The same of what a sample program answers to the first sample, in the order of the outputs."""
        with np.load(self.reference) as wanted:
            return apart(answers, [each[0] for each in wanted.values()])


def apart(answers: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """The largest difference, in units of that output's range. Of shapes only the dims that are not 1 count: a sample
    has a batch for one program and none for another."""
    pairs = list(zip(answers, wanted, strict=True))
    assert all(np.squeeze(a).shape == np.squeeze(b).shape for a, b in pairs)
    return max(float(np.abs(np.squeeze(a) - np.squeeze(b)).max() / (np.ptp(b) or 1)) for a, b in pairs)


@pytest.fixture
def answers(tmp_path: Path) -> Callable[..., list[np.ndarray]]:
    """answers(python, artifact, samples): what the artefact's sample program, called with two files, writes for the
    first sample: an array for each output, in the order of run.json."""

    def call(python: Path, artifact: Path, samples: Path, **environment: str) -> list[np.ndarray]:
        files = [tmp_path / "given.npz", tmp_path / "answered.npz"]
        with np.load(samples / "samples.npz") as archive:
            np.savez(files[0], **{name: archive[name][0] for name in archive.files})
        command = [python, artifact / "run.py", *files]
        done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600)
        assert done.returncode == 0, done.stderr
        with np.load(files[1]) as found:
            return [found[f"arr_{place}"] for place in range(len(found.files))]

    return call


@pytest.fixture(scope="session")
def models(toolchains: Toolchains, repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Model]:
    """models(name): one of models.py's, or (where the shared folder is) one of REAL."""
    out = tmp_path_factory.mktemp("models")
    real = {name: repo_root.parent / "shared/models" / file for name, file in REAL.items()}
    given = [f"{name}={file}" for name, file in real.items() if file.is_file()]
    python = toolchains.ensure("core").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out, *given], check=True, timeout=300)

    def model(name: str) -> Model:
        if not (out / name).is_dir():
            pytest.skip("not run: the shared folder of models is not beside the repository")
        return Model(out / name / "ir", out / name / "samples", out / name / "reference.npz")

    return model


@pytest.fixture(scope="session")
def tflite_models(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Model]:
    """Those of tflite_models.py, by name: for LiteRT, and the backends that take its graph further."""
    out = tmp_path_factory.mktemp("tflite-models")
    python = toolchains.ensure("core").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("tflite_models.py"), out], check=True, timeout=300)
    folders = sorted(out.iterdir())
    return {each.name: Model(each / "ir", each / "samples", each / "reference.npz") for each in folders}


class Work(working.Work):
    """Remembers, for all tests of a session, what was built."""

    def __init__(self, pool: WorkerPool, folder: Path, kept: dict[str, tuple[Path, list[str]]]) -> None:
        super().__init__(pool, folder)
        self.kept = kept

    def built(self, backend: Backend, target: Target, model: Model, variant: str = "fp32", fresh: bool = False) -> Path:
        """The artefact, to read only. fresh: made for this test alone, even where it was made before."""
        call = backend.compile_call(target, variant)
        key = repr((call, model.ir))
        if fresh or key not in self.kept:
            made = self(call, {"ir": model.ir})[0]
            if fresh:
                return made
            self.kept[key] = made, list(self.notes)
        made, self.notes[:] = self.kept[key]
        return made

    def twice(self, backend: Backend, target: Target, model: Model, variant: str = "fp32") -> tuple[Path, Path]:
        """The artefact, and the same made anew."""
        return self.built(backend, target, model, variant), self.built(backend, target, model, variant, fresh=True)

    def ran(self, backend: Backend, target: Target, model: Model, variant: str = "fp32") -> tuple[Path, Any]:
        artifact = self.built(backend, target, model, variant)
        return self(backend.run_call(target, variant), {"artifact": artifact, "samples": model.samples})


@pytest.fixture(scope="session")
def kept() -> dict[str, tuple[Path, list[str]]]:
    return {}


@pytest.fixture
def work(pool: WorkerPool, tmp_path: Path, kept: dict[str, tuple[Path, list[str]]]) -> Work:
    return Work(pool, tmp_path, kept)


@pytest.fixture(scope="session")
def fingerprint() -> Callable[[Path], dict[str, str]]:
    """File name -> sha256 of everything in a folder."""

    def digests(folder: Path) -> dict[str, str]:
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    return digests
