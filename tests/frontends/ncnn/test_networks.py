"""Real networks, and what they are in other frameworks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends.darknet import DarknetFrontend
from dlpipe.frontends.onnx import OnnxFrontend
from dlpipe.ir import calls
from dlpipe.targets.registry import backend, target

from .conftest import difference

FACES = "models/ultraface/RFB-320"
YOLO = "models/yolo_fastest/yolo-fastest-1.1"
HEADS = {"120_854": "convolutional_120", "129_922": "convolutional_129"}


def run(work: Any, ir: Path, image: Any) -> list[Any]:
    """The outputs in their order, for one image (without a batch)."""
    contract = json.loads((ir / "contract.json").read_text())
    samples = work.new_folder()
    np.savez(samples / "samples.npz", **{contract["inputs"][0]["name"]: image[None, None].astype(np.float32)})
    folder, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    found = dict(np.load(folder / "outputs.npz"))
    return [found[port["name"]][0] for port in contract["outputs"]]


def test_faces_equal_their_onnx(ncnn: Any, work: Any, shared: Path) -> None:
    """UltraFace: free height and width, fed with 320 x 240; the boxes are decoded outside of the network."""
    source = ncnn.source_of(shared, FACES)
    image = np.random.default_rng(0).normal(size=[3, 240, 320])
    wanted, found = ncnn.run(source, {"input": image}, "RFB-320.param", inputs={"input": {"shape": [1, 3, 240, 320]}})
    assert max(difference(wanted, found).values()) <= 1e-5
    ir = ncnn.ir(source, "RFB-320.param")
    contract = json.loads((ir / "contract.json").read_text())
    assert contract["inputs"][0]["shape"] == ["N", 3, "height", "width"]
    assert contract["metadata"]["example_dims"] == {"height": 320, "width": 320}
    ours = dict(zip(["boxes", "scores"], run(work, ir, image), strict=True))
    onnx = work.source(shared / "models/ultraface/version-RFB-320_without_postprocessing.onnx")
    entry = "version-RFB-320_without_postprocessing.onnx"
    sniffed = Sniffed("onnx/model", "onnx", entry)
    sibling, _ = work(OnnxFrontend().import_call(sniffed, ImportOptions()), {"source": onnx})
    theirs = {each.shape[-1]: each for each in run(work, sibling, image)}
    assert np.abs(ours["scores"] - theirs[2]).max() < 1e-4
    assert np.abs(ours["boxes"] - theirs[4]).max() < 1e-4 * np.ptp(theirs[4])


def test_a_detector_equals_its_darknet_file(ncnn: Any, work: Any, shared: Path) -> None:
    """YOLO-Fastest with weights stored as halves: what ncnn computes from them, and near what Darknet has in full."""
    source = ncnn.source_of(shared, YOLO)
    image = np.random.default_rng(0).random([3, 320, 320])
    wanted, found = ncnn.run(source, {"data": image}, "yolo-fastest-1.1.param", outputs=tuple(HEADS))
    assert max(difference(wanted, found).values()) <= 1e-5
    files = work.source(*(shared / f"{YOLO}.{each}" for each in ("cfg", "weights")))
    sniffed = Sniffed("darknet/cfg", "darknet", "yolo-fastest-1.1.cfg")
    options = ImportOptions(outputs=tuple(HEADS.values()))
    sibling, _ = work(DarknetFrontend().import_call(sniffed, options), {"source": files})
    for ours, theirs in zip(found.values(), run(work, sibling, image), strict=True):
        assert np.abs(ours[0] - theirs).max() < 0.05 * np.ptp(theirs)  # the halves, through 60 layers
        assert np.abs(ours[0] - theirs).mean() < 0.005 * np.ptp(theirs)


def test_every_layer_can_be_seen(ncnn: Any, work: Any, shared: Path) -> None:
    source = ncnn.source_of(shared, FACES)
    ir = ncnn.ir(source, "RFB-320.param")
    samples = work.new_folder()
    np.savez(samples / "samples.npz", input=np.zeros([1, 1, 3, 96, 128], np.float32))
    sniffed = Sniffed("ncnn/param", "ncnn", "RFB-320.param")
    call = ncnn.frontend.layers_call(sniffed, ImportOptions())
    folder, value = work(call, {"source": source, "imported": ir, "samples": samples})
    assert value["layers"][:2] == ["245", "247"]
    assert value["layers"][-2:] == ["boxes", "scores"]
    assert len(np.load(folder / "layers.npz").files) == len(value["layers"])


@pytest.mark.parametrize("variant", ["fp32", "fp16"])
def test_our_own_artefact_reads_back(ncnn: Any, work: Any, shared: Path, variant: str) -> None:
    """ONNX -> ncnn by the backend -> ONNX by this frontend: the same numbers."""
    entry = "version-RFB-320_without_postprocessing.onnx"
    onnx = work.source(shared / "models/ultraface" / entry)
    ir, _ = work(OnnxFrontend().import_call(Sniffed("onnx/model", "onnx", entry), ImportOptions()), {"source": onnx})
    artifact, _ = work(backend("ncnn").compile_call(target("x86-64"), variant), {"ir": ir})
    source = work.source(artifact / "model.param", artifact / "model.bin")
    with pytest.raises(Unsupported, match="fixed shape"):  # the file does not say the size that it is made for
        ncnn.ir(source, "model.param")
    back = ncnn.ir(source, "model.param", inputs={"in0": {"shape": [1, 3, 240, 320]}})
    image = np.random.default_rng(1).normal(size=[3, 240, 320])
    for theirs, ours in zip(run(work, ir, image), run(work, back, image), strict=True):
        assert ours.shape == theirs.shape
        assert np.abs(ours - theirs).max() <= (1e-5 if variant == "fp32" else 1e-2) * np.ptp(theirs)


def test_operators(ncnn: Any, work: Any) -> None:
    _, value = work(ncnn.frontend.operators_call(), {})
    assert value["operators"]["Convolution"]["support"] == "partial"
    assert value["operators"]["ReLU"] == {"support": "full", "note": None}
    assert value["operators"]["DetectionOutput"]["support"] == "none"
