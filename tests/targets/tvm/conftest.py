"""This backend's own models (see models.py), beside those that all backends share."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains


@dataclass(frozen=True)
class Made:
    ir: Path
    samples: Path
    reference: Path


@pytest.fixture(scope="session")
def made(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Made]:
    out = tmp_path_factory.mktemp("tvm-models")
    python = toolchains.ensure("core").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("models.py"), out], check=True, timeout=300)
    return lambda name: Made(out / name / "ir", out / name / "samples", out / name / "reference.npz")
