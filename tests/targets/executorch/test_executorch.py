"""ExecuTorch: what XNNPACK computes of a program is counted, and the results are ONNX Runtime's."""

from __future__ import annotations

import platform
import shutil
import subprocess

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target

EXECUTORCH = backend("executorch")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "encoder", "residual"])
def test_native(work, models, name):
    outputs, value = work.ran(EXECUTORCH, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["machine"], value["threads"]) == ("native", "x86_64", 1)
    assert value["xnnpack_operators"] > 0


@native
def test_a_convolutional_net_is_all_xnnpacks(work, models):
    _, value = work.ran(EXECUTORCH, target("x86-64"), models("residual"))
    assert value["kernels"] == {}


@native
def test_int8_is_the_models_own_and_all_xnnpacks(work, models):
    outputs, value = work.ran(EXECUTORCH, target("x86-64"), models("quantised"), "int8")
    assert models("quantised").worst(outputs) <= 0.02  # a rounding at the edge of a step
    assert sum(value["kernels"].values()) <= 2  # of the inputs and outputs themselves


@native
def test_without_xnnpack_it_is_said(work, models):
    outputs, value = work.ran(EXECUTORCH, target("x86-64"), models("cumsum"))
    assert models("cumsum").worst(outputs) <= 1e-6
    assert (value["xnnpack_operators"], value["kernels"]) == (0, {"aten::cumsum.out": 1})


@native
def test_the_same_bytes_twice_and_for_arm64(work, models, fingerprint):
    first, second, arm = (
        fingerprint(work.built(EXECUTORCH, target(name), models("residual"), fresh=again))
        for name, again in (("x86-64", False), ("x86-64", True), ("arm64", False))
    )
    assert first == second
    assert set(first) == {"model.pte", "run.json", "run.py", "example.cc", "LICENSES/executorch-LICENSE.txt"}
    assert first["model.pte"] == arm["model.pte"]


@native
def test_what_cannot_be_executed_here_says_why(work, models):
    assert EXECUTORCH.run_call(target("arm64"), "fp32") is None
    _, value = work(EXECUTORCH.compile_call(target("arm64"), "fp32"), {"ir": models("cumsum").ir})
    assert "PyTorch for Arm" in value["not_executed"]


@native
def test_the_sample_programs_run(work, models, toolchains, tmp_path):
    artifact = work.built(EXECUTORCH, target("x86-64"), models("residual"))
    python = toolchains.ensure("executorch").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.startswith("y [")
    if shutil.which("g++") is None:
        pytest.skip("not run: the example in C++ needs g++")
    package = next(python.parents[1].glob("lib/python3.*/site-packages/executorch"))
    folders = [package / "include", package / "include/executorch/runtime/core/portable_type/c10"]
    libraries = ["", "_kernels_optimized", "_kernels_quantized", "_backend_xnnpack", "_threadpool"]
    options = [*(f"-I{each}" for each in folders), "-DC10_USING_CUSTOM_GENERATED_MACROS", "-DET_EVENT_TRACER_ENABLED"]
    linked = [f"-L{package}/lib", f"-Wl,-rpath,{package}/lib", "-Wl,--no-as-needed"]
    linked += [f"-lexecutorch{each}" for each in libraries]
    program = tmp_path / "example"
    command = ["g++", "-std=c++17", artifact / "example.cc", "-o", program, *options, *linked]
    subprocess.run(command, check=True, timeout=600)
    done = subprocess.run([program, artifact / "model.pte"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("output 0: 40 bytes, ")


def test_what_torch_does_not_compute_is_named(work, models):
    with pytest.raises(Unsupported, match="Det cannot be computed in torch") as refused:
        work.built(EXECUTORCH, target("arm64"), models("det"))
    assert refused.value.where["op"] == "Det"


def test_a_free_dim_is_refused_with_the_option_that_settles_it(work, models):
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(EXECUTORCH, target("arm64"), models("free"))
    assert refused.value.hint == "--shape height=<size>"


def test_preflight():
    refused = EXECUTORCH.refusals(target("arm64"), "fp32", {"operators": {"Conv": 3, "If": 1}})
    assert [refusal.op for refusal in refused] == ["If"]
    assert "no build" in EXECUTORCH.refusals(target("riscv64"), "fp32", {})[0].reason
    assert "fp16" in EXECUTORCH.refusals(target("arm64"), "fp16", {})[0].reason
