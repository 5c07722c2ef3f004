"""`dlpipe export`: to NNEF and back."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.e2e.user import User

LIGHT = "bvlc_alexnet densenet121 inception_v1 inception_v2 resnet50 shufflenet squeezenet vgg19 zfnet512"


def test_there_and_back(settled_user: User, shared: Path) -> None:
    """A folder, the ONNX of that folder, an archive of that ONNX; the same bytes every time."""
    settled_user.ok("import", shared / "made/nnef/net13.nnef", "-o", "net.onnx")
    found = settled_user.ok("export", "net.onnx", "-o", "net.nnef", "--json").json
    assert found["fidelity"]["passed"] is True
    assert found["fidelity"]["max_rel"] < 1e-5
    assert found["operations"] > 15
    folder = settled_user.folder / "net.nnef"
    assert sorted(each.name for each in folder.iterdir()) == sorted(found["files"])
    back = settled_user.ok("export", folder, "-o", "back.onnx", "--json").json
    assert back["reference"].startswith("nnef ")  # Khronos' own runtime says the same
    assert back["fidelity"]["max_rel"] < 1e-5
    packed = settled_user.ok("export", "net.onnx", "-o", "net.nnef.tgz")
    assert "equal to onnxruntime" in packed.out
    first = (settled_user.folder / "net.nnef.tgz").read_bytes()
    with tarfile.open(settled_user.folder / "net.nnef.tgz") as archive:
        assert archive.getnames()[0] == "graph.nnef"
    settled_user.ok("export", "net.onnx", "-o", "again.nnef.tgz")
    assert (settled_user.folder / "again.nnef.tgz").read_bytes() == first
    assert "equal to nnef" in settled_user.ok("import", "net.nnef.tgz", "-o", "unpacked.onnx").out


def test_free_dims_are_fixed_and_said_so(settled_user: User, shared: Path) -> None:
    model = shared / "models/caffe_lenet/lenet.prototxt"
    assert "the free dim N was fixed to 1" in settled_user.ok("export", model, "-o", "lenet.nnef").out
    four = settled_user.ok("export", model, "-o", "four.nnef", "--shape", "N=4", "--json").json
    assert four["fidelity"]["passed"] is True
    assert "shape = [4, 1, 28, 28]" in (settled_user.folder / "four.nnef/graph.nnef").read_text()


def test_places_that_cannot_be_written(settled_user: User, shared: Path) -> None:
    model = shared / "made/nnef/net13.nnef"
    (settled_user.folder / "there.nnef").mkdir()
    for place, says in (
        ("there.nnef", "there already"),
        ("x.caffe", "no format"),
        ("no/x.tgz", "mkdir -p no"),
    ):
        done = settled_user.dlpipe("export", model, "-o", place)
        assert (done.code, says in done.err) == (2, True), done.err


@pytest.mark.slow
def test_a_detector(settled_user: User, shared: Path) -> None:
    model = shared / "models/ultraface/version-RFB-320.onnx"
    found = settled_user.ok("export", model, "-o", "face.nnef", "--json").json
    assert found["fidelity"]["max_rel"] < 1e-5
    back = settled_user.ok("import", "face.nnef", "-o", "face.onnx", "--json").json
    assert back["reference"].startswith("nnef ")
    assert back["fidelity"]["max_rel"] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", LIGHT.split())
def test_the_light_models(settled_user: User, toolchains: Toolchains, name: str) -> None:
    """Their weights are all one number, and so are their outputs: equal in every element proves nothing then."""
    folder = next(toolchains.ensure("core").root.glob("lib/python*/site-packages/onnx/backend/test/data/light"))
    found = settled_user.ok("export", folder / f"light_{name}.onnx", "-o", f"{name}.nnef", "--json").json
    fidelity = found["fidelity"]
    assert (fidelity["max_rel"] or 0) < 1e-4
    assert fidelity["passed"] is None
    assert "that proves nothing" in fidelity["reason"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlperf-tiny-kws", "arm-kws-ds-cnn-s"])
def test_the_zoo(settled_user: User, shared: Path, name: str) -> None:
    found = settled_user.ok("export", f"zoo:{name}", "-o", f"{name}.nnef", "--json").json
    assert found["fidelity"]["passed"] is True
    back = settled_user.ok("import", f"{name}.nnef", "-o", f"{name}.onnx", "--json").json
    assert back["fidelity"]["passed"] is True
