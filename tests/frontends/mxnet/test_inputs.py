"""Input shapes that no symbol states, found in the weights."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlpipe.errors import BadModel
from dlpipe.toolchains import Toolchains

from .conftest import Import

pytestmark = pytest.mark.interpreter


@pytest.fixture(scope="module")
def nets(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("mxnet-nets")
    python = toolchains.ensure("mxnet").python
    assert python is not None
    subprocess.run([python, Path(__file__).with_name("nets.py"), out], timeout=120, capture_output=True, check=True)
    return out


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("unet", ["N", 3, 32, 32]),  # of any size: it shrinks the picture little
        ("attention", ["N", "T"]),
        ("mlp", ["N", 784]),
        ("unrolled", ["N", 6]),  # as many steps as were written out
    ],
)
def test_found(nets: Path, imported: Import, name: str, shape: list[int | str]) -> None:
    model = imported(nets / f"{name}-symbol.json", nets / f"{name}-0000.params")
    assert [list(port.shape) for port in model.contract.inputs] == [shape]
    assert model.worst(model.random()) < 1e-5


def test_what_holds_for_the_size_found_is_told_once(nets: Path, imported: Import) -> None:
    model = imported(nets / "batches-symbol.json", nets / "batches-0000.params")
    assert [list(port.shape) for port in model.contract.inputs] == [[1, 3, 20, 20]]
    assert sum("the dim N is fixed at 1" in note for note in model.notes) == 1


def test_not_to_be_found(shared: Path, imported: Import) -> None:
    folder = shared / "made/mxnet191"
    with pytest.raises(BadModel, match="does not say the shape of its input 'data'") as caught:
        imported(folder / "red-symbol.json", folder / "red-0000.params")
    assert "--input data:" in str(caught.value.hint)
