"""A repository that holds a small model, and a cache that a CI system kept."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.manager import default_cache_dir
from tests.ci.acting import plain_environment, run
from tests.conftest import Bench

NET = """
<ir_version: 8, opset_import: ["" : 17]>
net (float[1, 8] x) => (float[1, 4] y)
<float[8, 4] w = {VALUES}>
{ h = MatMul(x, w)
  y = Softmax(h) }
"""


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """With the command that is tested on the PATH, as an image that has dlpipe: nothing is downloaded for it."""
    found = plain_environment()
    return {**found, "PATH": f"{Path(sys.executable).parent}:{found['PATH']}", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory, bench: Bench) -> Path:
    """`net.onnx`, the worse `worse.onnx`, and `labelled.npz`, which the first gets all right."""
    folder = tmp_path_factory.mktemp("models")
    generator = np.random.default_rng(0)
    weight, x = generator.normal(size=(8, 4)), generator.normal(size=(400, 1, 8))
    write(bench, folder / "net.onnx", weight)
    write(bench, folder / "worse.onnx", weight + generator.normal(scale=0.3, size=weight.shape))
    labels = (x[:, 0] @ weight).argmax(axis=1)
    np.savez(folder / "labelled.npz", x=x.astype(np.float32), y=labels)
    return folder


@pytest.fixture
def repository(tmp_path: Path, models: Path) -> Path:
    """The models in the folder `models`."""
    folder = tmp_path / "repository"
    shutil.copytree(models, folder / "models")
    return folder


@pytest.fixture(scope="session")
def filled(
    tmp_path_factory: pytest.TempPathFactory, models: Path, toolchains: Toolchains, environment: dict[str, str]
) -> Path:
    """A cache that knows both models: what the systems do is looked at, not the conversion."""
    del toolchains
    folder = tmp_path_factory.mktemp("filled")
    (default_cache_dir() / "toolchains").mkdir(parents=True, exist_ok=True)
    (folder / "cache").mkdir()
    (folder / "cache" / "toolchains").symlink_to(default_cache_dir() / "toolchains")
    for name in ("net", "worse"):
        options = ["--target", "x86-64", "--backend", "onnxruntime", "--precision", "fp32", "--yes"]
        command = ["dlpipe", "convert", f"{name}.onnx", *options, "--data", "labelled.npz", "--out", f"out/{name}"]
        done = run(command, models, {**environment, "DLPIPE_CACHE_DIR": str(folder / "cache")})
        assert done.returncode == 0, done.stderr
    shutil.rmtree(models / "out")
    return folder / "cache"


@pytest.fixture
def cache(filled: Path) -> Callable[[Path], object]:
    """Makes a folder such a cache, as a CI system brings back what it kept."""
    return lambda folder: shutil.copytree(filled, folder, symlinks=True)


def write(bench: Bench, path: Path, weight: Any) -> None:
    values = ", ".join(f"{value:.7g}" for value in weight.ravel())
    made = bench.build(NET.replace("VALUES", values)) / "model.onnx"
    path.write_bytes(made.read_bytes())
