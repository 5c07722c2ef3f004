"""Wrong preprocessing is found by the labels, and the right one travels with the model."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.toolchains import Toolchains
from tests.conftest import Bench
from tests.data.bitmap import write_bmp
from tests.e2e.user import User

CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
# Scores of two classes: how red, and how blue a picture is, which is to be fed as (x / 255 - 0.5) / 0.25.
NAMES = ("crimson", "sky")
RED_OR_BLUE = """<ir_version: 8, opset_import: ["" : 17]>
colours (float[n, 3, 4, 4] x) => (float[n, 2] y) <float[3, 2] w = {1.0, 0.0, 0.0, 0.0, 0.0, 1.0}> {
  mean = GlobalAveragePool(x)
  flat = Flatten(mean)
  y = MatMul(flat, w)
}"""


@pytest.fixture(scope="module")
def pictures(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CIFAR-10's test pictures as JPEG, a folder per class."""
    folder = tmp_path_factory.mktemp("cifar")
    with tarfile.open(shared / "models" / "cifar10_test_jpg" / "cifar10_test.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / "names.txt").write_text("\n".join(CIFAR))
    return folder


@pytest.mark.slow
def test_a_planted_mistake_is_found(settled_user: User, shared: Path, pictures: Path) -> None:
    """MLPerf Tiny's ResNet-8 takes RGB from 0 to 255. It gets 76.8 % of all of these pictures right."""
    model = shared / "models" / "mlperf_tiny_ic" / "pretrainedResnet.tflite"
    ask = ("doctor", "preprocess", model, "--data", pictures / "test", "--labels", pictures / "names.txt")
    done = settled_user.dlpipe(*ask, "--samples", "120", "--preprocess", "bgr,scale=1/255", "--json")
    assert done.code == 3, done.err
    found = done.json
    assert (found["points_elsewhere"], found["best"]["option"]) == (True, "rgb")
    assert found["best"]["accuracy"]["value"] > 0.65
    assert found["current"]["accuracy"]["value"] < 0.2
    assert found["current"]["option"] == "bgr,scale=1/255"
    assert found["p_value"] < 1e-6
    swapped = next(each for each in found["tried"] if each["option"] == "bgr")
    assert swapped["accuracy"]["value"] < found["best"]["accuracy"]["value"]
    right = settled_user.ok(*ask, "--samples", "120")
    assert "No other way is shown to be better" in right.out


def _is_ready_for_pictures(artifact: Path, picture: Any, toolchains: Toolchains) -> None:
    """Its example takes a picture's file to an answer. Two toolchains have what it needs together."""
    write_bmp(artifact.parent / "photo.bmp", picture)
    pillow = toolchains.ensure("data")
    paths = subprocess.run(
        [pillow.python, "-c", "import sys; print(*sys.path, sep=':')"], capture_output=True, text=True
    )
    command = [toolchains.ensure("core").python, artifact / "example.py", artifact.parent / "photo.bmp"]
    where = {**os.environ, "PYTHONPATH": paths.stdout.strip().strip(":")}
    done = subprocess.run(command, capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr
    scores = (picture.mean(axis=(0, 1)) / 255 - 0.5)[[0, 2]] / 0.25
    likely = np.exp(scores) / np.exp(scores).sum()
    order = sorted(range(2), key=lambda place: -likely[place])
    shown = [line.split() for line in done.stdout.splitlines()]
    assert shown == [["y"], *([f"{likely[place]:.4f}", NAMES[place]] for place in order)]
    assert "preprocess.h" in (artifact / "README.md").read_text()


def test_what_stands_beside_a_model_travels_with_it(bench: Bench, settled_user: User, toolchains: Toolchains) -> None:
    folder = bench.build(RED_OR_BLUE)
    beside = {"do_rescale": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(beside))
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (40, 4, 4, 3), np.uint8)
    y = (x[..., 2].mean(axis=(1, 2)) > x[..., 0].mean(axis=(1, 2))).astype(int)
    np.savez(settled_user.folder / "colours.npz", x=x, y=np.array(NAMES)[y])
    data = ("--data", settled_user.folder / "colours.npz")
    to = ("-t", "x86-64", "-b", "onnxruntime")
    made = settled_user.ok("compile", folder / "model.onnx", *to, *data, "-o", "colours-x86")
    assert "top-1 100.00 % of 40 samples" in made.out
    part = json.loads((settled_user.folder / "colours-x86" / "contract.json").read_text())["preprocessing"][0]
    assert (part["kind"], part["source"]) == ("picture", "preprocessor_config.json")
    settled_user.ok("run", "colours-x86", "--input", settled_user.folder / "colours.npz", "-o", "answers.npz")
    with np.load(settled_user.folder / "answers.npz") as answers:
        expected = (x.mean(axis=(1, 2)) / 255 - 0.5)[:, [0, 2]] / 0.25
        np.testing.assert_allclose(answers["y"].reshape(40, 2), expected, atol=1e-5)
    _is_ready_for_pictures(settled_user.folder / "colours-x86", x[0], toolchains)
    turned = settled_user.ok("compile", folder / "model.onnx", *to, *data, "--preprocess", "bgr", "-o", "turned-x86")
    assert "top-1 0.00 % of 40 samples" in turned.out


def test_a_model_that_says_how_it_is_fed_takes_pictures_of_any_size(settled_user: User, shared: Path) -> None:
    """Coral's quantised MobileNet carries its normalisation and its labels as TFLite metadata."""
    coral, folder = shared / "models" / "coral", settled_user.folder / "photos"
    folder.mkdir()
    for name in ("cat.bmp", "grace_hopper.bmp"):
        (folder / name).write_bytes((coral / name).read_bytes())
    model = coral / "mobilenet_v2_1.0_224_quant.tflite"
    found = settled_user.ok("run", model, "--input", folder, "--json").json["results"]
    assert {each["item"]: each["label"] for each in found} == {
        "cat.bmp": "Egyptian cat",
        "grace_hopper.bmp": "military uniform",
    }
