"""ncnn: what pnnx makes is proven by comparison, and what it cannot make is refused with the operator's name."""

from __future__ import annotations

import platform
import subprocess

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target

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


@pytest.mark.parametrize("name", ["branches", "faces"])
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint, name):
    first, second = (fingerprint(work.built(NCNN, target("arm64"), models(name))) for _ in range(2))
    assert first == second
    assert set(first) == {"model.param", "model.bin", "run.json", "run.py", "LICENSES/ncnn.txt"}


def test_the_sample_program_runs(work, models, toolchains):
    artifact = work.built(NCNN, target("arm64"), models("branches"))
    python = toolchains.ensure("ncnn").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.startswith("t [")


@native
def test_timing(work, models):
    artifact = work.built(NCNN, target("x86-64"), models("lstm"))
    inputs = {"artifact": artifact, "samples": models("lstm").samples}
    _, value = work(NCNN.timing_call(target("x86-64"), "fp32"), inputs, handle="a", warmup=0, runs=3)
    assert len(value["seconds"]) == 3


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
