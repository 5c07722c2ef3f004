"""ncnn: what pnnx makes is proven by comparison, and what it cannot make is refused with the operator's name."""

from __future__ import annotations

import platform

import pytest

from dlpipe.errors import StageFailed, Unsupported
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains.jail import devices

NCNN = backend("ncnn")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "faces"])
def test_native(work, models, name):
    outputs, value = work.ran(NCNN, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["machine"]) == ("native", "x86_64")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["branches", "lstm", "faces"])
def test_arm64_under_emulation(work, models, name):
    outputs, value = work.ran(NCNN, target("arm64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert value["machine"] == "aarch64"


@native
def test_vulkan_in_software_says_which_device_it_was(work, models):
    outputs, value = work.ran(NCNN, target("vulkan"), models("branches"))
    assert models("branches").worst(outputs) <= 1e-5
    assert value["ran_on"] == "vulkan:llvmpipe"
    assert value["layers_on_device"] > 0
    assert "bf16" not in NCNN.variants(target("vulkan"))


@native
@pytest.mark.parametrize(("name", "folders", "said"), [("branches", {}, "no Vulkan device"), ("lstm", None, "LSTM")])
def test_the_processor_does_not_stand_in_for_a_vulkan_device(work, models, name, folders, said):
    """Neither where there is none, nor where it has a shader for no layer."""
    artifact = work.built(NCNN, target("vulkan"), models(name))
    inputs = {"artifact": artifact, "samples": models(name).samples}
    changed = {} if folders is None else {"folders": folders}
    with pytest.raises(StageFailed, match=said):
        work(NCNN.run_call(target("vulkan"), "fp32"), inputs, **changed)


def test_a_gpu_of_this_machine_is_asked_only_where_there_is_one(monkeypatch):
    monkeypatch.setattr(devices, "nodes", lambda kinds: ())
    assert NCNN.run_call(target("vulkan-gpu"), "fp32") is None
    assert NCNN.timing_call(target("vulkan-gpu"), "fp32") is None
    monkeypatch.setattr(devices, "nodes", lambda kinds: ("/dev/dri/renderD128",))
    assert NCNN.run_call(target("vulkan-gpu"), "fp32").toolchain == "ncnn-gpu"
    assert NCNN.timing_call(target("vulkan-gpu"), "fp32").toolchain == "ncnn-gpu"
    assert NCNN.timing_call(target("vulkan"), "fp32") is None
    assert NCNN.compile_call(target("vulkan-gpu"), "fp32").toolchain == "ncnn"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "machine"), [("armv7", "armv7l"), ("riscv64", "riscv64")])
def test_armv7_and_riscv64_under_emulation(work, models, name, machine):
    outputs, value = work.ran(NCNN, target(name), models("branches"))
    assert models("branches").worst(outputs) <= 1e-5
    assert value["machine"] == machine


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() == "aarch64", reason="not run: needs an emulated processor")
def test_fp16_arithmetic_really_executes_where_the_processor_has_it(work, models):
    with_it = models("faces").worst(work.ran(NCNN, target("arm64-cortex-a76"), models("faces"), "fp16")[0])
    without = models("faces").worst(work.ran(NCNN, target("arm64-cortex-a53"), models("faces"), "fp16")[0])
    assert 1e-5 < without < with_it < 0.05


def test_fp16_halves_the_weights(work, models):
    sizes = {}
    for variant in NCNN.variants(target("arm64")):
        artifact = work.built(NCNN, target("arm64"), models("faces"), variant)
        sizes[variant] = (artifact / "model.bin").stat().st_size
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert NCNN.ir_variant("fp16") == "fp32"


@native
def test_bf16_is_really_computed(work, models):
    half = models("faces").worst(work.ran(NCNN, target("x86-64"), models("faces"), "bf16")[0])
    whole = models("faces").worst(work.ran(NCNN, target("x86-64"), models("faces"))[0])
    assert whole < 1e-5 < 1e-3 < half < 0.05
    assert NCNN.ir_variant("bf16") == "fp32"


@pytest.mark.parametrize("name", ["branches", "faces"])
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint, name):
    first, second = map(fingerprint, work.twice(NCNN, target("arm64"), models(name)))
    assert first == second
    assert set(first) == {"model.param", "model.bin", "run.json", "run.py", "LICENSES/ncnn-LICENSE.txt"}


def test_a_layer_that_ncnn_lacks_is_named(work, models):
    with pytest.raises(Unsupported, match="no layer") as refused:
        work.built(NCNN, target("arm64"), models("cumsum"))
    assert refused.value.where["op"] == "pnnx.Expression"


def test_a_free_dim_is_refused_with_the_option_that_settles_it(work, models):
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(NCNN, target("arm64"), models("free"))
    assert refused.value.hint == "--shape height=<size>"


def test_preflight():
    refused = NCNN.refusals(target("arm64"), "fp32", {"operators": {"Conv": 3, "Scan": 1}})
    assert [refusal.op for refusal in refused] == ["Scan"]
    assert "int8" not in NCNN.variants(target("arm64"))
    assert "ncnn2int8" in NCNN.refusals(target("arm64"), "int8", {})[0].reason
