"""Real TensorFlow models: converted, and equal to what TensorFlow itself says."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.contracts.frontend import ImportOptions
from dlpipe.ir.calls import attach_call
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool

from .conftest import FRONTEND, Import, worst

ARM = {"DNN_S": 25, "DNN_M": 25, "DS_CNN_S": 49, "DS_CNN_M": 49, "Basic_LSTM_S": 49, "LSTM_S": 25}
TOLERANCE = 1e-4  # of the output's range, for float32
WITH_REFERENCE = {
    "tf221/tf1_frozen.pb": "tf221/tf1_io.npz",
    "tf215/tf1_frozen.pb": "tf215/tf1_io.npz",
    "tf221/tf1_while_v1.pb": "tf221/tf1_while_v1_io.npz",
    "tf221/tf1_while_v2.pb": "tf221/tf1_while_v2_io.npz",
    **{f"{v}/savedmodel_{k}": f"{v}/keras_{k}_io.npz" for v in ("tf215", "tf221") for k in ("cnn", "rnn", "trf")},
}

Data = Callable[..., Path]


@pytest.mark.parametrize("net", ARM)
def test_keyword_nets(shared: Path, imported: Import, data: Data, net: str) -> None:
    """Cut behind the audio operators; the two parts together are the uncut original, down to the label."""
    folder = shared / "models/arm_ml_kws"
    model = imported(folder / f"{net}.pb", folder / "labels.txt")
    (port,) = model.contract.inputs
    assert (port.name, port.source, port.shape, port.dtype) == ("Mfcc", "Mfcc:0", (1, ARM[net], 10), "float32")
    (output,) = model.contract.outputs
    assert (output.name, output.shape) == ("labels_softmax", (1, 12))
    assert "cut 3 audio operators (DecodeWav, AudioSpectrogram, Mfcc) at Mfcc:0" in model.notes[0]
    assert model.contract.labels[2:4] == ("yes", "no")

    clips = data(*(shared / f"models/tflite_micro/{word}_1000ms.wav" for word in ("yes", "no", "silence")))
    samples = model.preprocessed(clips)
    assert (samples / "labels.json").is_file()
    original = model.end_to_end(clips)
    assert worst(model.reference(samples), original) <= 1e-6
    found = model.run(samples)
    assert worst(found, original) <= TOLERANCE
    labels = [model.contract.labels[index] for index in found["labels_softmax"].argmax(-1).ravel()]
    assert labels[:2] == ["yes", "no"]


def test_what_was_cut_off_is_handed_on_as_a_program(
    shared: Path, imported: Import, data: Data, toolchains: Toolchains, work: Any, tmp_path: Path
) -> None:
    model = imported(shared / "models/arm_ml_kws/DS_CNN_S.pb", shared / "models/arm_ml_kws/labels.txt")
    clip = shared / "models/tflite_micro/yes_1000ms.wav"
    (tmp_path / "run.json").write_text("{}")
    artifact, _ = work(attach_call(()), {"artifact": tmp_path, "ir": model.ir})
    python = toolchains.ensure("tensorflow").python
    command = [python, Path(artifact, "preprocess.py"), clip, tmp_path / "inputs.npz"]
    subprocess.run([str(each) for each in command], check=True, timeout=120)
    with np.load(tmp_path / "inputs.npz") as found, np.load(model.preprocessed(data(clip)) / "samples.npz") as wanted:
        assert found.files == ["Mfcc"]
        assert found["Mfcc"].tobytes() == wanted["Mfcc"][0].tobytes()
    assert "DecodeWav, AudioSpectrogram, Mfcc" in " ".join(Path(artifact, "README.md").read_text().split())
    assert "yes" in json.loads(Path(artifact, "contract.json").read_text())["labels"]


@pytest.mark.parametrize(("model", "reference"), WITH_REFERENCE.items())
def test_models_with_known_outputs(shared: Path, imported: Import, model: str, reference: str) -> None:
    found = imported(shared / "made" / model)
    with np.load(shared / "made" / reference) as file:
        x, y = file["x"], file["y"]
    (port,), (output,) = found.contract.inputs, found.contract.outputs
    assert port.shape[0] == output.shape[0] == "N"
    samples = found.samples({port.name: x[:, None].astype(port.dtype)})
    for outputs in (found.run(samples), found.reference(samples)):
        assert np.abs(outputs[output.name][:, 0] - y).max() / np.ptp(y) <= TOLERANCE


def test_mlperf_saved_model(shared: Path, imported: Import) -> None:
    model = imported(shared / "models/mlperf_tiny_kws/kws_ref_model")
    assert [port.shape for port in model.contract.inputs] == [("N", 49, 10, 1)]
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_the_batch_can_be_fixed(shared: Path, imported: Import) -> None:
    model = imported(shared / "made/tf221/tf1_frozen.pb", dims={"N": 2})
    assert [port.shape for port in (*model.contract.inputs, *model.contract.outputs)] == [(2, 32, 32, 3), (2, 10)]
    assert model.worst(model.samples(model.random_inputs())) <= TOLERANCE


def test_describe(shared: Path, imported: Import, work: Any) -> None:
    model = imported(shared / "models/arm_ml_kws/DS_CNN_S.pb")
    _, value = work(FRONTEND.describe_call(model.sniffed), {"source": model.source})
    assert value["operators"]["Conv2D"] == 5
    assert 20_000 < value["parameters"] < 30_000
    assert 2_000_000 < value["macs"] < 3_500_000  # published: 5.4 million operations


def test_timing_keeps_the_model_loaded(shared: Path, imported: Import, pool: WorkerPool, work: Any) -> None:
    model = imported(shared / "models/arm_ml_kws/DNN_S.pb")
    inputs = {"source": model.source, "imported": model.ir, "samples": model.samples(model.random_inputs())}
    call = FRONTEND.timing_call(model.sniffed, ImportOptions())
    loads = []
    for runs in (3, 5):
        params = {**call.params, "handle": "one", "warmup": 1, "runs": runs}
        _, value = work(Call(call.toolchain, call.worker, call.operation, params), inputs)
        assert len(value["seconds"]) == runs
        assert all(each > 0 for each in (*value["seconds"], value["first_seconds"], value["peak_rss"]))
        loads.append(value["load_seconds"])
    assert loads[0] == loads[1]


@pytest.mark.slow
def test_the_same_bytes_in_another_process(
    shared: Path, imported: Import, toolchains: Toolchains, tmp_path: Path, work: Any
) -> None:
    files = tuple(f"made/tf221/{each}" for each in ("savedmodel_rnn", "savedmodel_trf", "tf1_while_v2.pb"))
    files = (*files, "models/arm_ml_kws/LSTM_S.pb")
    first = [_digests(imported(shared / file).ir) for file in files]
    (tmp_path / "logs").mkdir()
    with WorkerPool(toolchains, tmp_path / "workers", keep_logs=tmp_path / "logs") as another:
        work.pool = another
        second = [_digests(imported(shared / file).ir) for file in reversed(files)]
    assert first == second[::-1]


def _digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
