"""What every artefact has: a sample program that runs as it lies there and is timed from its start, and timing."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed
from dlpipe.targets import KIT
from dlpipe.targets.registry import backend, target

native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


def start(toolchain):
    return Call(toolchain, KIT / "starting.py", "start", {"warm": 1})


slow = pytest.mark.slow
CPP = pytest.mark.skipif(shutil.which("g++") is None, reason="not run: needs g++")


@native
@pytest.mark.parametrize(
    ("name", "net"),
    [
        ("onnxruntime", "branches"),
        ("ncnn", "branches"),
        ("mnn", "branches"),
        ("litert", "branches"),
        ("opencv", "lstm"),
        ("tvm", "branches"),
        pytest.param("executorch", "residual", marks=slow),
        pytest.param("inductor", "encoder", marks=[slow, CPP]),
        pytest.param("paddle", "residual", marks=slow),
    ],
)
def test_the_sample_program_starts_and_the_model_is_timed(work, models, toolchains, answers, name, net):
    tool, here, model = backend(name), target("x86-64"), models(net)
    artifact = work.built(tool, here, model)
    call = tool.timing_call(here, "fp32")
    inputs = {"artifact": artifact, "samples": model.samples}
    _, value = work(call, inputs, handle=f"sample of {name}", warmup=0, runs=3)
    assert len(value["seconds"]) == 3
    _, value = work(start(call.toolchain), inputs)
    assert set(value) == {"cold_seconds", "warm_seconds", "peak_rss"}
    assert min(value.values()) > 0
    # With no inputs given it takes zeros, and prints every output by its name.
    description = json.loads((artifact / "run.json").read_text())
    if "command" not in description:
        command = [toolchains.ensure(call.toolchain).python, artifact / "run.py"]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
        assert [port["name"] for port in description["outputs"] if f"{port['name']} " not in said] == []
        # With two files it writes its answers.
        assert model.apart(answers(command[0], artifact, model.samples)) <= 1e-3


@native
def test_memory_is_that_of_the_program_and_not_of_the_worker_that_starts_it(work, models):
    """The worker has the ONNX tools loaded (over 100 MB); the program has an interpreter and 30 MB."""
    artifact = work.built(backend("onnxruntime"), target("x86-64"), models("branches"), fresh=True)
    (artifact / "run.py").write_text("held = b'x' * 30_000_000\n")
    _, value = work(start("core"), {"artifact": artifact, "samples": models("branches").samples})
    assert 30_000_000 < value["peak_rss"] < 60_000_000


@native
def test_a_program_that_fails_is_an_error_with_its_last_line(work, models):
    artifact = work.built(backend("onnxruntime"), target("x86-64"), models("branches"), fresh=True)
    (artifact / "run.py").write_text("raise SystemExit('no such luck')\n")
    with pytest.raises(StageFailed, match="no such luck"):
        work(start("core"), {"artifact": artifact, "samples": models("branches").samples})
