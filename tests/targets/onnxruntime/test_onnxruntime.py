"""ONNX Runtime: artefacts are the same every time, run where they say, and agree with the model."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

import dlpipe.targets.onnxruntime as room
from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.targets import KIT
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains.pool import WorkerPool

ORT = backend("onnxruntime")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "free", "faces"])
def test_native(work, models, name):
    outputs, value = work.ran(ORT, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-6
    assert (value["ran_on"], value["machine"], value["providers"]) == ("native", "x86_64", ["CPUExecutionProvider"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["branches", "lstm", "faces"])
@pytest.mark.parametrize("processor", ["arm64", "arm64-cortex-a53"])
def test_arm64_under_emulation(work, models, name, processor):
    outputs, value = work.ran(ORT, target(processor), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert value["machine"] == "aarch64"
    assert value["ran_on"] == ("native" if platform.machine() == "aarch64" else "qemu-aarch64")
    assert value["samples"] == 3


@pytest.mark.slow
def test_riscv64_under_emulation(work, models):
    """By the ONNX Runtime that Debian builds, which is older than the one that compiled the artefact."""
    outputs, value = work.ran(ORT, target("riscv64"), models("branches"))
    assert models("branches").worst(outputs) <= 1e-5
    assert value["machine"] == "riscv64"
    assert value["ran_on"] == ("native" if platform.machine() == "riscv64" else "qemu-riscv64")
    assert value["tool"] == "onnxruntime 1.21"


@pytest.mark.parametrize("name", ["branches", "lstm", "faces"])
def test_a_compile_gives_the_same_bytes_every_time(work, toolchains, models, fingerprint, name, tmp_path):
    first = work.built(ORT, target("arm64"), models(name))
    # A second process: the order of ONNX Runtime's hash tables changes with the process.
    (tmp_path / "logs").mkdir()
    with WorkerPool(toolchains, tmp_path / "other", keep_logs=tmp_path / "logs") as other:
        call = ORT.compile_call(target("arm64"), "fp32")
        other.run(call, {"ir": models(name).ir}, tmp_path / "second")
    assert fingerprint(first) == fingerprint(tmp_path / "second")
    assert set(fingerprint(first)) == {"model.ort", "run.json", "run.py", "LICENSES/onnxruntime-LICENSE.txt"}


@pytest.mark.slow
def test_fp16_stays_fp16_for_arm(work, models):
    artifact = work.built(ORT, target("arm64"), models("half"), "fp16")
    assert (artifact / "model.onnx").read_bytes() == (models("half").ir / "model.onnx").read_bytes()
    outputs, _ = work.ran(ORT, target("arm64"), models("half"), "fp16")
    assert models("half").worst(outputs) <= 5e-3


def test_run_json_names_the_ports(work, models):
    artifact = work.built(ORT, target("arm64"), models("branches"))
    description = json.loads((artifact / "run.json").read_text())
    assert [port["name"] for port in description["outputs"]] == ["t", "file"]
    assert (description["entry"], description["target"], description["variant"]) == ("model.ort", "arm64", "fp32")


@native
def test_timing_keeps_the_model_loaded_and_notices_another(work, models):
    call = ORT.timing_call(target("x86-64"), "fp32")
    for name in ("lstm", "branches"):  # the same handle for another artefact: it must not time the old one
        artifact = work.built(ORT, target("x86-64"), models(name))
        inputs = {"artifact": artifact, "samples": models(name).samples}
        _, value = work(call, inputs, handle="a", warmup=1, runs=4)
        assert len(value["seconds"]) == 4
        assert all(seconds > 0 for seconds in value["seconds"])
        assert value["peak_rss"] > 1 << 20


def test_no_timing_from_an_emulator():
    emulated = [name for name in ("arm64", "android-arm64", "riscv64") if target(name).runner != "native"]
    assert all(ORT.timing_call(target(name), "fp32") is None for name in emulated)
    assert ORT.run_call(target("android-arm64"), "fp32") is None


def test_refusals_name_operator_and_opset():
    refused = ORT.refusals(target("arm64"), "fp32", {"operators": {"Conv": 3, "my::Op": 1}, "opsets": {"": 99}})
    assert [refusal.op for refusal in refused] == [None, "my::Op"]
    assert "opset 99" in refused[0].reason
    assert ORT.refusals(target("arm64"), "int8", {"operators": {"Conv": 1, "Scan": 1}, "opsets": {"": 18}}) == []


def test_the_operator_list_is_what_the_locked_tool_says(work):
    _, said = work(Call("core", Path(room.__file__).with_name("worker.py"), "coverage", libraries=(KIT,)), {})
    del said["machine"]
    assert said == json.loads(Path(room.__file__).with_name("operators.json").read_text())


def test_a_model_it_cannot_load_is_refused(work, models, tmp_path):
    folder = tmp_path / "ir"
    folder.mkdir()
    (folder / "contract.json").write_bytes((models("lstm").ir / "contract.json").read_bytes())
    (folder / "model.onnx").write_bytes((models("lstm").ir / "model.onnx").read_bytes()[:-500])
    with pytest.raises(Unsupported, match="does not take the model"):
        work(ORT.compile_call(target("arm64"), "fp32"), {"ir": folder})
