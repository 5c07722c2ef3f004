"""MNN: every form of its models is held against ONNX Runtime, and shows which device computed it."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, Unsupported
from dlpipe.targets import KIT
from dlpipe.targets import mnn as room
from dlpipe.targets.registry import backend, target

MNN = backend("mnn")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "residual", "faces"])
def test_native(work, models, name):
    outputs, value = work.ran(MNN, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-4
    assert (value["ran_on"], value["machine"], value["device"]) == ("native", "x86_64", "CPU")


@native
def test_int8_is_computed_in_int8(work, models):
    """All four layers. MNN pools in 8 bits too, which ONNX Runtime here does not: some steps of the last scale."""
    artifact = work.built(MNN, target("x86-64"), models("quantised"), "int8")
    assert json.loads((artifact / "run.json").read_text())["options"]["int8_layers"] == 4
    inputs = {"artifact": artifact, "samples": models("quantised").samples}
    outputs, _ = work(MNN.run_call(target("x86-64"), "int8"), inputs)
    assert models("quantised").worst(outputs) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "variant", "processor", "least"),
    [
        ("branches", "fp32", "arm64", 1e-4),
        ("quantised", "int8", "arm64-cortex-a76", 0.05),
        ("residual", "int4", "arm64-cortex-a76", 0.3),  # computed in halves this was garbage
    ],
)
def test_arm64_under_emulation(work, models, name, variant, processor, least):
    outputs, value = work.ran(MNN, target(processor), models(name), variant)
    assert models(name).worst(outputs) <= least
    assert (value["machine"], value["device"]) == ("aarch64", "CPU")


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() == "aarch64", reason="not run: needs an emulated processor")
def test_fp16_arithmetic_really_executes_where_the_processor_has_it(work, models):
    with_it = models("residual").worst(work.ran(MNN, target("arm64-cortex-a76"), models("residual"), "fp16")[0])
    without = models("residual").worst(work.ran(MNN, target("arm64-cortex-a53"), models("residual"), "fp16")[0])
    assert without < with_it < 0.05


def test_smaller_weights_make_smaller_files(work, models):
    sizes = {}
    for variant in ("fp32", "fp16", "int4"):
        artifact = work.built(MNN, target("arm64"), models("faces"), variant)
        sizes[variant] = (artifact / "model.mnn").stat().st_size
    assert sizes["int4"] < 0.6 * sizes["fp16"] < 0.4 * sizes["fp32"]
    assert "int4: MNN stores" in work.notes[0]


@pytest.mark.parametrize(("name", "variant"), [("residual", "fp32"), ("quantised", "int8"), ("residual", "int4")])
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint, name, variant):
    first, second = map(fingerprint, work.twice(MNN, target("arm64"), models(name), variant))
    assert first == second
    assert set(first) == {"model.mnn", "run.json", "run.py", "LICENSES/mnn.txt"}


@native
def test_another_device_than_asked_for_is_an_error(work, models):
    """The wheel has no OpenCL: MNN says so on the console, computes on the processor, and agrees perfectly."""
    artifact = work.built(MNN, target("x86-64"), models("branches"))
    described = json.loads((artifact / "run.json").read_text())
    described["options"]["backend"] = "OPENCL"
    moved = work.folder / "moved"
    moved.mkdir()
    (moved / "model.mnn").write_bytes((artifact / "model.mnn").read_bytes())
    (moved / "run.json").write_text(json.dumps(described))
    with pytest.raises(StageFailed, match="MNN computes on CPU: this build of MNN has no OPENCL"):
        work(MNN.run_call(target("x86-64"), "fp32"), {"artifact": moved, "samples": models("branches").samples})


def test_preflight():
    model = {
        "operators": {"Conv": 3, "QLinearConv": 1, "com.microsoft::FusedConv": 1},
        "nodes": [{"name": "third", "op": "QLinearConv"}],
        "inputs": [{"name": "x", "dtype": "float64", "shape": [1]}],
        "outputs": [],
    }
    refused = MNN.refusals(target("arm64"), "fp32", model)
    assert [each.op for each in refused[:2]] == ["QLinearConv", "com.microsoft::FusedConv"]
    assert "float64 inputs: x" in refused[2].reason
    assert MNN.lowering({"operators": {"Scan": 1, "Swish": 2}})[0].name == "unroll"
    assert MNN.refusals(target("arm64"), "fp16", {"operators": {"QuantizeLinear": 1}})


def test_an_operator_that_the_converter_lacks_is_named(work, models):
    with pytest.raises(Unsupported, match="MNN") as refused:
        work.built(MNN, target("arm64"), models("scan"))
    assert refused.value.where["op"] == "Scan"


def test_operators_are_what_the_converter_says(work):
    _, said = work(Call("mnn", Path(room.__file__).with_name("worker.py"), "coverage", libraries=(KIT,)), {})
    assert said == json.loads(Path(room.__file__).with_name("operators.json").read_text())
