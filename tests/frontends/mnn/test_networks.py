"""UltraFace in MNN, in floats and in int8, and what it is in other frameworks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends.ncnn import NcnnFrontend
from dlpipe.frontends.sniff import sniff_call
from dlpipe.ir import calls

from .conftest import difference

FLOATS, INT8 = "RFB-320.mnn", "RFB-320-quant-KL-5792.mnn"


@pytest.fixture
def faces(work: Any, shared: Path) -> Path:
    folder = shared / "models/ultraface"
    return Path(work.source(*(folder / each for each in (FLOATS, INT8, "RFB-320.param", "RFB-320.bin"))))


def test_floats_equal_ncnn(mnn: Any, work: Any, faces: Path) -> None:
    """What MNN computes; and what ncnn's file of the same net holds (its weights are halves)."""
    assert max(difference(*mnn.run(faces, FLOATS)).values()) <= 1e-4
    ir = mnn.ir(faces, FLOATS)
    samples = mnn.samples(ir)
    sibling, _ = work(
        NcnnFrontend().import_call(Sniffed("ncnn/param", "ncnn", "RFB-320.param"), ImportOptions()), {"source": faces}
    )
    ours, theirs = (
        dict(np.load(work(calls.run_call(), {"ir": each, "samples": samples})[0] / "outputs.npz"))
        for each in (ir, sibling)
    )
    assert set(ours) == set(theirs) == {"boxes", "scores"}
    for name, array in ours.items():
        assert np.abs(array - theirs[name]).max() < 1e-4 * np.ptp(array)


TFLITE = "version-RFB-320_without_postprocessing.tflite"
CONVERTED = {
    "tflite": ("models/ultraface", {"--modelFile": TFLITE}),  # images in NHWC, shapes computed in the file
    "caffe": ("models/mtcnn_caffe_mxnet", {"--prototxt": "det2.prototxt", "--modelFile": "det2.caffemodel"}),
}


@pytest.mark.parametrize("framework", CONVERTED)
def test_files_made_from_other_frameworks(mnn: Any, work: Any, shared: Path, framework: str) -> None:
    folder, files = CONVERTED[framework]
    source = work.source(*(shared / folder / each for each in files.values()))
    assert max(difference(*mnn.run(mnn.made(source, files=files))).values()) <= 2e-5


@pytest.mark.interpreter
def test_int8_of_mnn_1(mnn: Any, faces: Path) -> None:
    """Every int8 layer gives the very numbers that MNN 1.0 gives: only the softmax at the end differs."""
    apart = difference(*mnn.run(faces, INT8, "1"))
    assert apart["boxes"] == 0
    assert apart["scores"] <= 1e-4


def test_int8_is_not_taken_for_zeros_where_mnn_3_cannot_run_it(mnn: Any, work: Any, faces: Path) -> None:
    ir = mnn.ir(faces, INT8)
    call = mnn.frontend.reference_call(Sniffed("mnn/model", "mnn", INT8), ImportOptions())
    with pytest.raises(Unsupported, match="cannot run"):
        work(call, {"source": faces, "imported": ir, "samples": mnn.samples(ir)})


def test_the_sniffer_tells_the_version(work: Any, faces: Path) -> None:
    for entry, version in ((FLOATS, None), (INT8, "1")):
        _, found = work(sniff_call(entry), {"source": faces})
        assert (found["format"], found["version"]) == ("mnn/model", version)


def test_every_layer_can_be_seen(mnn: Any, work: Any, faces: Path) -> None:
    ir = mnn.ir(faces, FLOATS)
    call = mnn.frontend.layers_call(Sniffed("mnn/model", "mnn", FLOATS), ImportOptions())
    folder, value = work(call, {"source": faces, "imported": ir, "samples": mnn.samples(ir)})
    assert value["layers"][:2] == ["245", "248"]
    assert value["layers"][-1] == "scores"
    assert np.load(folder / "layers.npz")["0"].shape == (1, 16, 120, 160)


def test_contract_and_operators(mnn: Any, work: Any, faces: Path) -> None:
    contract = json.loads((mnn.ir(faces, FLOATS) / "contract.json").read_text())
    assert [(each["name"], each["shape"], each["layout"]) for each in contract["inputs"]] == [
        ("input", [1, 3, 240, 320], "NCHW")
    ]
    _, value = work(mnn.frontend.operators_call(), {})
    assert value["operators"]["ReLU"] == {"support": "full", "note": None}
    assert value["operators"]["While"]["support"] == "none"
