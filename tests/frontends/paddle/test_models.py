"""Paddle programs, made and real, of versions 2 and 3: equal to what Paddle says."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlpipe.errors import BadModel
from dlpipe.toolchains import Toolchains

from .conftest import Import, load, worst


@pytest.mark.parametrize("name", ["cnn", "cnn_old", "txt"])
def test_made_models(shared: Path, imported: Import, name: str) -> None:
    folder = shared / "made/paddle331"
    model = imported(folder / f"{name}.json", folder / f"{name}.pdiparams")
    known = load(folder / f"{name.removesuffix('_old')}_ref.npz")
    (port,) = model.contract.inputs
    assert port.shape[0] == "N"
    samples = model.samples({port.name: known["x"][None]})
    assert worst([model.run(samples)[model.contract.outputs[0].name][0]], [known["y"]]) < 1e-6
    assert model.worst(samples) < 1e-6


def test_an_old_program_of_free_size(shared: Path, imported: Import) -> None:
    """Its squeeze passes over dims that are not 1, and drops those that are."""
    folder = shared / "models/mtcnn_paddle2"
    files = folder / "PNet.pdmodel", folder / "PNet.pdiparams"
    model = imported(*files)
    assert [list(port.shape) for port in model.contract.inputs] == [["N", 3, "H", "W"]]
    assert model.contract.metadata["example_dims"] == {"H": 64, "W": 64}
    assert any("squeeze" in note for note in model.notes)
    assert model.worst(model.random(2, H=30, W=23)) < 1e-5
    fixed = imported(*files, dims={"H": 12, "W": 12})
    assert [port.shape[1] for port in fixed.contract.outputs] == [2, 4, 10]
    assert fixed.worst(fixed.random(2)) < 1e-5


def test_layers_and_names(shared: Path, imported: Import) -> None:
    folder = shared / "models/mtcnn_paddle2"
    model = imported(folder / "RNet.pdmodel", folder / "RNet.pdiparams")
    samples = model.random(2)
    assert model.worst(samples) < 1e-5
    assert [port.name for port in model.contract.outputs] == [f"save_infer_model/scale_{i}.tmp_21" for i in range(3)]
    names, values = model.layers(samples)
    assert len(names) == len(values) > 20
    assert values["0"].shape[1] == 28
    new = imported(shared / "made/paddle331/cnn.json", shared / "made/paddle331/cnn.pdiparams")
    names, values = new.layers(new.random(2))
    assert names[0].startswith("/Conv2D/conv2d.")
    assert values[str(len(names) - 1)].shape == (2, 10)


def test_model_and_params_of_the_first_versions(shared: Path, imported: Import, tmp_path: Path) -> None:
    folder = shared / "models/mtcnn_paddle2"
    shutil.copy(folder / "RNet.pdmodel", tmp_path / "__model__")
    shutil.copy(folder / "RNet.pdiparams", tmp_path / "__params__")
    model = imported(tmp_path / "__model__", tmp_path / "__params__")
    assert model.worst(model.random(2)) < 1e-5


def test_a_file_for_each_of_the_weights(toolchains: Toolchains, shared: Path, imported: Import, tmp_path: Path) -> None:
    script, model = Path(__file__).with_name("apart.py"), shared / "models/mtcnn_paddle2/RNet.pdmodel"
    command = [str(toolchains.ensure("paddle").python), str(script), str(model), str(tmp_path)]
    subprocess.run(command, timeout=120, capture_output=True, check=True)
    (tmp_path / "conv2d_0.b_0").rename(tmp_path / "kept")
    with pytest.raises(BadModel, match="weights of __model__ are missing"):
        imported(tmp_path / "__model__", tmp_path)
    (tmp_path / "kept").rename(tmp_path / "conv2d_0.b_0")
    split = imported(tmp_path / "__model__", tmp_path)
    samples = split.random(2)
    assert split.worst(samples) < 1e-5
    whole = imported(model, model.with_suffix(".pdiparams"))
    assert worst(list(split.run(samples).values()), list(whole.run(samples).values())) == 0
    timing = split.frontend.timing_call(split.sniffed, split.options)
    assert timing is not None
    timing = replace(timing, params={**timing.params, "handle": "x", "runs": 2})
    assert min(split.work(timing, split.given(samples))[1]["seconds"]) > 0


def test_the_same_bytes_every_time(shared: Path, imported: Import) -> None:
    folder = shared / "made/paddle331"
    first, second = (imported(folder / "txt.json", folder / "txt.pdiparams").ir for _ in range(2))
    assert (first / "model.onnx").read_bytes() == (second / "model.onnx").read_bytes()


def test_missing_and_damaged_weights(shared: Path, imported: Import, tmp_path: Path) -> None:
    folder = shared / "made/paddle331"
    with pytest.raises(BadModel, match="weights of cnn.json are missing"):
        imported(folder / "cnn.json")
    cut = tmp_path / "cnn.pdiparams"
    cut.write_bytes((folder / "cnn.pdiparams").read_bytes()[:1000])
    with pytest.raises(BadModel, match="cannot load"):
        imported(folder / "cnn.json", cut)


def test_wrong_names(shared: Path, imported: Import) -> None:
    files = shared / "made/paddle331/cnn.json", shared / "made/paddle331/cnn.pdiparams"
    with pytest.raises(BadModel, match="no input 'image'") as caught:
        imported(*files, inputs={"image": {"shape": [1, 3, 32, 32]}})
    assert "x" in str(caught.value.hint)
    with pytest.raises(BadModel, match="no output 'y'"):
        imported(*files, outputs=("y",))


def test_operators(work: Any) -> None:
    from .conftest import FRONTEND

    _, value = work(FRONTEND.operators_call(), {})
    told = {name: each["support"] for name, each in value["operators"].items()}
    assert told["conv2d"] == "full"
    assert sum(support == "full" for support in told.values()) > 150
    assert sum(support == "none" for support in told.values()) > 150
