"""Trained nets of public projects: the import equals OpenCV's run of the original, and still does what it is for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.ir import calls
from dlpipe.toolchains import Toolchains

NETS = {
    "models/caffe_lenet/lenet": "models/caffe_lenet/lenet_iter_10000",
    "models/caffe_cifar10/cifar10_quick": "models/caffe_cifar10/cifar10_quick_iter_5000",
    "models/mtcnn_caffe_mxnet/det1": "models/mtcnn_caffe_mxnet/det1",
    "models/mtcnn_caffe_mxnet/det2": "models/mtcnn_caffe_mxnet/det2",
    "models/ultraface/RFB-320": "models/ultraface/RFB-320",
    "made/caffe/misc": "made/caffe/misc",
    "made/caffe/misc_basic": "made/caffe/misc_basic",
    "made/caffe/misc_min": "made/caffe/misc_min",
    "made/caffe/misc_nodeconv": "made/caffe/misc_nodeconv",
    "made/caffe/misc_nopower": "made/caffe/misc_nopower",
    "made/caffe/cifar10_quick": "made/caffe/cifar10_quick",
    "made/caffe/lenet": "made/caffe/lenet",
}


def _source(caffe: Any, shared: Path, net: str) -> Path:
    prototxt, weights = shared / f"{net}.prototxt", shared / f"{NETS[net]}.caffemodel"
    return Path(caffe.source(prototxt.read_text(), weights.read_bytes()))


@pytest.mark.parametrize("net", NETS)
def test_equal_to_the_original(caffe: Any, shared: Path, net: str) -> None:
    ran = caffe.run(_source(caffe, shared, net))
    assert ran.kind == "independent"
    assert ran.difference() < 1e-5


@pytest.mark.parametrize("net", [each for each in NETS if each.startswith("made/")])
def test_stored_outputs(caffe: Any, shared: Path, net: str) -> None:
    """Outputs that OpenCV 4.13 gave, kept with the nets."""
    stored = np.load(shared / f"{net}_ref.npz")
    ran = caffe.run(_source(caffe, shared, net), feeds={"data": stored["x"][None]})
    np.testing.assert_allclose(ran.outputs["prob"][0], stored["y"], atol=1e-6)


def test_every_layer_can_be_seen(caffe: Any, shared: Path, work: Any) -> None:
    """Layers in place write into the blob of another: each is given as it was when it had run."""
    source = _source(caffe, shared, "made/caffe/misc")
    ir = caffe.ir(source)
    samples = work.new_folder()
    np.savez(samples / "samples.npz", data=np.random.default_rng(1).standard_normal([1, 1, 3, 33, 33]))
    call = caffe.frontend.layers_call(caffe.sniffed, ImportOptions())
    out, value = work(call, {"source": source, "imported": ir, "samples": samples})
    names = ["c1", "bn1", "sc1", "pr1", "dw", "el", "pool", "ave", "lrn", "up", "sig", "pw", "gap", "fc", "prob"]
    assert value["layers"] == names
    with np.load(out / "layers.npz") as file:
        found = {name: file[str(index)] for index, name in enumerate(names)}
    np.testing.assert_allclose(found["el"], found["pr1"] - 0.5 * found["dw"], atol=1e-6)
    assert np.abs(found["bn1"] - found["sc1"]).max() > 1e-3  # three layers share one blob
    np.testing.assert_allclose(found["pw"], (1 + 0.5 * found["sig"]) ** 2, rtol=1e-5)


@pytest.mark.slow
def test_mnist(caffe: Any, shared: Path, work: Any) -> None:
    """LeNet on MNIST's test set: 99.14 % by OpenCV, and the very same answers by the import, whole batches at once."""
    folder = shared / "models/mnist_t10k"
    images = np.frombuffer(_gunzip(folder, "images"), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    labels = np.frombuffer(_gunzip(folder, "labels"), np.uint8, offset=8)
    source = _source(caffe, shared, "models/caffe_lenet/lenet")
    original, ours = _answers(caffe, work, source, images.astype(np.float32) / 256)
    assert (original == ours).all()
    assert float((ours == labels).mean()) == 0.9914


@pytest.mark.slow
def test_cifar10(caffe: Any, shared: Path, work: Any, toolchains: Toolchains, tmp_path: Path) -> None:
    """The quick CIFAR-10 net on JPEGs of the test set: about 73 % (75 % on the raw pixels that it was made for)."""
    python = toolchains.ensure("opencv").python
    assert python is not None
    archive = shared / "models/cifar10_test_jpg/cifar10_test.tar.gz"
    mean = shared / "models/caffe_cifar10/cifar10_train_mean_from_jpg.npy"
    script = Path(__file__).with_name("decode_cifar10.py")
    subprocess.run([python, script, archive, mean, tmp_path / "x.npz"], check=True, timeout=120, capture_output=True)
    data = np.load(tmp_path / "x.npz")
    source = _source(caffe, shared, "models/caffe_cifar10/cifar10_quick")
    original, ours = _answers(caffe, work, source, data["x"])
    assert float((original == ours).mean()) >= 0.999
    assert 0.72 < float((ours == data["y"]).mean()) < 0.75


def _answers(caffe: Any, work: Any, source: Path, images: Any) -> list[Any]:
    """What the original and the import say to all images, a hundred at a time."""
    ir = caffe.ir(source, dims={"N": 100})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", data=images.reshape(-1, 100, *images.shape[1:]))
    given = {"source": source, "imported": ir, "samples": samples}
    reference, _ = work(caffe.frontend.reference_call(caffe.sniffed, ImportOptions()), given)
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    return [np.load(each / "outputs.npz")["prob"].reshape(-1, 10).argmax(1) for each in (reference, out)]


def _gunzip(folder: Path, what: str) -> bytes:
    import gzip

    (path,) = [each for each in folder.iterdir() if what in each.name]
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def test_faces(caffe: Any, shared: Path, work: Any) -> None:
    """UltraFace in Caffe and in ONNX are one trained net: the import gives what its ONNX sibling gives."""
    source = _source(caffe, shared, "models/ultraface/RFB-320")
    ran = caffe.run(source)
    sibling = work.source(shared / "models/ultraface/version-RFB-320_without_postprocessing.onnx")
    ir, _ = work(calls.import_call("version-RFB-320_without_postprocessing.onnx"), {"source": sibling})
    contract = json.loads((ir / "contract.json").read_text())
    samples = work.new_folder()
    data = np.random.default_rng(0).standard_normal([2, 1, 3, 240, 320]).astype(np.float32)  # as `run` feeds
    np.savez(samples / "samples.npz", **{contract["inputs"][0]["name"]: data})
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    with np.load(out / "outputs.npz") as file:
        np.testing.assert_allclose(ran.outputs["scores"], file["scores"], atol=3e-5)
        np.testing.assert_allclose(ran.outputs["boxes"], file["boxes"], atol=3e-5)


def test_mtcnn_layout(caffe: Any, shared: Path) -> None:
    """MTCNN's Caffe nets were trained with width before height: the import keeps their layout as it is."""
    ran = caffe.run(_source(caffe, shared, "models/mtcnn_caffe_mxnet/det2"))
    turned = caffe.run(
        _source(caffe, shared, "models/mtcnn_caffe_mxnet/det2"),
        feeds={"data": np.random.default_rng(0).standard_normal([2, 1, 3, 24, 24]).astype(np.float32).swapaxes(3, 4)},
    )
    assert turned.difference() < 1e-5
    assert np.abs(turned.outputs["prob1"] - ran.outputs["prob1"]).max() > 1e-3
