"""The equivalence groups that span frontends: each member comes through its own, and all give the same outputs.

MTCNN (Caffe, MXNet), UltraFace (Caffe, ONNX, TFLite), Silero (TorchScript, ONNX) and YOLO-Fastest are in the tests of
these frontends.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.ir import calls
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import ConvertRequest, import_options
from dlpipe.pipeline.session import Session

Run = Any  # run(file, x, *dims), run.contract(file)


@pytest.fixture
def run(own_cache: Path, work: Any) -> Iterator[Run]:
    """run(file, x, dims): import and prove the file, then feed x to the import as one sample; its outputs, in order."""
    with Session() as session:

        def prove(file: Path, *shape: str) -> Proven:
            session.executor.forget(list(session.executor.outcomes))
            return prove_import(session, ConvertRequest(str(file), (), options=import_options(None, None, list(shape))))

        def feed(file: Path, x: Any, *shape: str) -> list[Any]:
            proven = prove(file, *shape)
            ir, samples = work.new_folder(), work.new_folder()
            session.store.checkout(session.executor.outcomes[proven.imported.ir].output, ir / "ir", link=False)
            np.savez(samples / "samples.npz", allow_pickle=False, **{proven.imported.contract.inputs[0].name: x[None]})
            out, _ = work(calls.run_call(), {"ir": ir / "ir", "samples": samples})
            with np.load(out / "outputs.npz") as found:
                return [found[port.name][0] for port in proven.imported.contract.outputs]

        feed.contract = lambda file: prove(file).imported.contract
        yield feed


@pytest.mark.slow
def test_mlperf_tiny_resnet(run: Run, shared: Path) -> None:
    """Keras, the TFLite made of it, and its int8 form: pixels of 0 to 255, NHWC in all of them."""
    folder = shared / "models/mlperf_tiny_ic"
    pixels = np.random.default_rng(1).integers(0, 256, (8, 32, 32, 3))
    (keras,) = run(folder / "pretrainedResnet.h5", pixels.astype(np.float32))
    (tflite,) = run(folder / "pretrainedResnet.tflite", pixels.astype(np.float32))
    assert np.abs(keras - tflite).max() <= 1e-5
    (quantised,) = run(folder / "pretrainedResnet_quant.tflite", (pixels - 128).astype(np.int8))
    probabilities = (quantised.astype(np.float32) + 128) / 256
    assert (probabilities.argmax(-1) == keras.argmax(-1)).mean() >= 0.75  # noise is no picture: near ties are common
    assert np.abs(probabilities - keras).mean() <= 0.05


@pytest.mark.slow
def test_mlperf_tiny_autoencoder(run: Run, shared: Path) -> None:
    """The float TFLite, and its int8 form read through the scales that its contract carries."""
    folder = shared / "models/mlperf_tiny_ad"
    x = np.random.default_rng(2).uniform(-20, 20, (1, 640)).astype(np.float32)
    (wide,) = run(folder / "ad01_fp32.tflite", x)
    scales = run.contract(folder / "ad01_int8.tflite").metadata["quantisation"]
    given, taken = scales.values()
    steps = np.clip(np.round(x / given["scale"]) + given["zero_point"], -128, 127).astype(np.int8)
    (found,) = run(folder / "ad01_int8.tflite", steps)
    narrow = (found.astype(np.float32) - taken["zero_point"]) * taken["scale"]
    assert np.corrcoef(wide.ravel(), narrow.ravel())[0, 1] >= 0.98


def test_yunet(run: Run, shared: Path) -> None:
    """One detector with fixed sizes and with free ones."""
    folder = shared / "models/yunet"
    image = np.random.default_rng(3).uniform(0, 255, (1, 3, 320, 320)).astype(np.float32)
    fixed = run(folder / "yunet_n_320_320.onnx", image)
    free = run(folder / "yunet_n_dynamic.onnx", image, "height=320", "width=320")
    for one, other in zip(fixed, free, strict=True):
        assert one.shape == other.shape
        assert np.abs(one - other).max() <= 1e-4 * max(float(np.ptp(one)), 1e-2)
