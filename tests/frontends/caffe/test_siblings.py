"""One trained net in several frameworks: what our import of the Caffe files gives is what the others give."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.mxnet import MxnetFrontend
from dlpipe.ir import calls
from dlpipe.toolchains import Toolchains

FOLDER = "models/mtcnn_caffe_mxnet"
NCNN = Path(__file__).parents[1] / "darknet" / "run_ncnn.py"


@pytest.mark.parametrize(
    ("net", "size", "pairs"),
    [
        ("det1", 12, {"prob1": "prob1", "conv4-2": "conv4_2"}),
        ("det2", 24, {"prob1": "prob1", "conv5-2": "conv5_2"}),
    ],
)
def test_mtcnn(caffe: Any, work: Any, shared: Path, net: str, size: int, pairs: dict[str, str]) -> None:
    """The layout trap: in Caffe these nets take width before height, and blue before red; in MXNet the other way."""
    data = np.random.default_rng(0).standard_normal([3, 1, 3, size, size]).astype(np.float32)
    files = [shared / FOLDER / f"{net}.{each}" for each in ("prototxt", "caffemodel")]
    ours = caffe.run(caffe.source(files[0].read_text(), files[1].read_bytes()), {"data": data}).outputs
    source = work.source(*(shared / FOLDER / f"{net}-{each}" for each in ("symbol.json", "0001.params")))
    sniffed = Sniffed("mxnet/symbol", "mxnet", f"{net}-symbol.json")
    options = ImportOptions(inputs={"data": {"shape": [1, 3, size, size]}})
    ir, _ = work(MxnetFrontend().import_call(sniffed, options), {"source": source})
    contract = json.loads((ir / "contract.json").read_text())
    samples = work.new_folder()
    turned = np.ascontiguousarray(data.swapaxes(3, 4)[:, :, ::-1])
    np.savez(samples / "samples.npz", **{contract["inputs"][0]["name"]: turned})
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    theirs = dict(np.load(out / "outputs.npz"))
    for here, there in pairs.items():
        name = next(each for each in theirs if each.startswith(there))
        np.testing.assert_allclose(ours[here].ravel(), theirs[name].ravel(), atol=1e-5)
    straight = caffe.run(caffe.source(files[0].read_text(), files[1].read_bytes()), {"data": turned}).outputs
    assert np.abs(straight["prob1"] - ours["prob1"]).max() > 1e-4  # it matters


def test_ultraface_in_ncnn(caffe: Any, toolchains: Toolchains, shared: Path, tmp_path: Path) -> None:
    folder = shared / "models/ultraface"
    data = np.random.default_rng(0).standard_normal([1, 1, 3, 240, 320]).astype(np.float32)
    source = caffe.source(*((folder / f"RFB-320.{each}").read_bytes() for each in ("prototxt", "caffemodel")))
    ours = caffe.run(source, {"input": data}).outputs
    theirs = run_ncnn(toolchains, folder / "RFB-320", "input", data[0, 0], ["scores"], tmp_path)
    np.testing.assert_allclose(ours["scores"].ravel(), theirs["scores"].ravel(), atol=2e-3)  # its weights are halves


def run_ncnn(
    toolchains: Toolchains, net: Path, name: str, image: Any, outputs: list[str], folder: Path
) -> dict[str, Any]:
    """What ncnn itself makes of its own files. image: [channels, height, width]."""
    python = toolchains.ensure("ncnn").python
    assert python is not None
    np.save(folder / "image.npy", image)
    command = [python, NCNN, net, name, folder / "image.npy", folder / "out.npz", *outputs]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    return dict(np.load(folder / "out.npz"))
