"""Files of Keras 1 (made here by Keras 1.2 on Theano) against the answers that Keras 1 gave."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from dlpipe.errors import UserError
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.registry import Registry

from .conftest import Import, load

pytestmark = pytest.mark.interpreter
TOLERANCE = 1e-5
DEFINITIONS = Path(__file__).parents[2] / "toolchains" / "definitions"
MODELS = ("cnn", "atrous", "deconvolution", "volume", "lstm", "dense", "rare", "samples", "merged")
MODELS += tuple(f"merge_{mode}" for mode in ("sum", "mul", "ave", "max", "dot", "concat"))


@pytest.fixture(scope="session")
def keras1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("keras1-models")
    python = Toolchains(registry=Registry([DEFINITIONS])).ensure("keras1").python
    assert python is not None
    script = Path(__file__).with_name("keras1_models.py")
    subprocess.run([python, "-W", "ignore", script, out], check=True, timeout=300, capture_output=True)
    return out


@pytest.mark.parametrize("name", MODELS)
def test_answers(keras1: Path, imported: Import, name: str) -> None:
    assert _difference(keras1, imported, name) <= TOLERANCE


def test_the_backend_that_a_file_does_not_tell_is_asked_for(keras1: Path, imported: Import) -> None:
    with pytest.raises(UserError, match="does not say on which backend") as caught:
        imported(keras1 / "conv1d.h5")
    assert "--route theano-kernels" in (caught.value.hint or "")
    assert _difference(keras1, imported, "conv1d", route="theano-kernels") <= TOLERANCE
    assert _difference(keras1, imported, "conv1d", route="tensorflow-kernels") > 0.01


def test_a_guess_is_said(keras1: Path, imported: Import) -> None:
    assert any("its ordering of dims is that of theano" in note for note in imported(keras1 / "atrous.h5").notes)


@pytest.mark.parametrize(
    ("name", "says", "op"),
    [
        ("merge_cos", "merges by cos, which Keras 2 has not", "Merge"),
        ("mode2", "by the statistics of whatever batch", "BatchNormalization"),
        ("lambda", "runs Python code that is in the file", "Lambda"),
    ],
)
def test_refusals(keras1: Path, imported: Import, name: str, says: str, op: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        imported(keras1 / f"{name}.h5")
    assert caught.value.where["op"] == op


def _difference(folder: Path, imported: Import, name: str, **options: str) -> float:
    """From Keras 1's own answers, in units of the output's range."""
    model = imported(folder / f"{name}.h5", **options)
    given = load(folder / f"{name}_io.npz")
    fed = [given[key] for key in sorted(given) if key != "y"]
    ports = model.contract.inputs
    samples = model.samples({p.name: x[:, None].astype(p.dtype) for p, x in zip(ports, fed, strict=True)})
    (out,) = model.contract.outputs
    made = model.run(samples)[out.name][:, 0]
    assert made.shape == given["y"].shape
    return float(np.abs(made - given["y"]).max() / np.ptp(given["y"]))
