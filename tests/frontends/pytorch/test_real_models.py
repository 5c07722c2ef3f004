"""Trained models of public projects, and what PyTorch itself computed for models that it made elsewhere."""

from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.errors import Unsupported
from dlpipe.frontends.onnx import OnnxFrontend
from dlpipe.frontends.pytorch import PyTorchFrontend
from dlpipe.ir import calls

Run = Callable[..., Any]


@pytest.mark.parametrize("name", ["cnn", "rnn"])
def test_traced_models_give_what_they_gave_elsewhere(ran: Run, shared: Path, name: str) -> None:
    with np.load(shared / "made" / "pt" / f"{name}_io.npz") as file:
        x, y = file["x"], file["y"]
    inputs = {"x": {"shape": [1, *x.shape[1:]], "dtype": None}}
    found = ran(
        shared / "made" / "pt" / f"{name}_trace.pt", "torchscript", inputs=inputs, samples={"x": x[:, np.newaxis]}
    )
    found.check()
    assert found.shapes("inputs") == {"x": ["N", *x.shape[1:]]}
    np.testing.assert_allclose(found.outputs["output"][:, 0], y, atol=1e-5)


@pytest.mark.slow
def test_resnet20_of_cifar10(ran: Run, shared: Path) -> None:
    folder = shared / "models" / "pytorch_resnet_cifar10"
    weights = folder / "resnet20-12fca82f.th"
    inputs = {"x": {"shape": [1, 3, 32, 32], "dtype": None}}
    found = ran(weights, "state-dict", folder / "resnet.py", factory="resnet:resnet20", inputs=inputs)
    found.check()
    assert found.shapes("outputs") == {"output": ["N", 10]}


@pytest.mark.parametrize(
    ("file", "says"),
    [("ultraface/version-RFB-320.pth", "base_net.0.0.weight 16x3x3x3"), ("yunet/yunet_n.pth", "backbone.model0.conv1")],
)
def test_weights_without_code(work: Any, shared: Path, file: str, says: str) -> None:
    path = shared / "models" / file
    call = PyTorchFrontend().import_call(Sniffed("pytorch/state-dict", "pytorch", path.name), ImportOptions())
    with pytest.raises(Unsupported, match=f"holds weights and no network: .*{says}") as caught:
        work(call, {"source": work.source(path)})
    assert "--factory" in str(caught.value.hint)


@pytest.mark.slow
def test_silero_equals_its_onnx_sibling(ran: Run, work: Any, shared: Path) -> None:
    """The same trained net from TorchScript and from ONNX, on speech, with the states that it keeps."""
    folder = shared / "models" / "silero_vad"
    with wave.open(str(folder / "test.wav")) as file:
        assert file.getframerate() == 16000
        sound = np.frombuffer(file.readframes(16000 * 4), np.int16).astype(np.float32) / 32768
    frames = sound[: len(sound) // 512 * 512].reshape(-1, 1, 512)[::20]
    random = np.random.default_rng(4)
    context = random.standard_normal((len(frames), 1, 64)).astype(np.float32) * 0.05
    state = random.standard_normal((len(frames), 2, 1, 128)).astype(np.float32) * 0.3
    found = ran(
        folder / "silero_vad.jit",
        "torchscript",
        route="trace",
        inputs={"x": {"shape": [1, 512], "dtype": None}},
        dims={"sr": 16000},
        samples={"x": frames, "context": context, "state": state},
    )
    found.check()
    other = _onnx(work, folder / "silero_vad.onnx", input=np.concatenate([context, frames], -1), state=state)
    np.testing.assert_allclose(found.outputs["output"], other["output"], atol=1e-5)
    np.testing.assert_allclose(found.outputs["state_out"], other["stateN"], atol=1e-5)


def _onnx(work: Any, path: Path, **feeds: Any) -> dict[str, Any]:
    count = len(next(iter(feeds.values())))
    call = OnnxFrontend().import_call(Sniffed("onnx/model", "onnx", path.name), ImportOptions())
    ir, _ = work(call, {"source": work.source(path)})
    samples = work.new_folder()
    np.savez(samples / "samples.npz", sr=np.full(count, 16000, np.int64), **feeds)
    out, _ = work(calls.run_call(), {"ir": ir, "samples": samples})
    with np.load(out / "outputs.npz") as file:
        return {name: file[name] for name in file.files}
