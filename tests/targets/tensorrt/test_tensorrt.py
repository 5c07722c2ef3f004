"""TensorRT for RTX builds engines here for GPUs that are elsewhere; nothing claims to have run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

import dlpipe.targets.tensorrt as room
from dlpipe.contracts.backend import Backend
from dlpipe.contracts.call import Call
from dlpipe.contracts.tuning import Tunable
from dlpipe.errors import StageFailed, Unsupported
from dlpipe.targets import KIT, nvidia
from dlpipe.targets.registry import backend, target

RTX, FULL = backend("tensorrt-rtx"), backend("tensorrt")
pytestmark = pytest.mark.slow
no_gpu = pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="not run: says what happens without a GPU")


@pytest.fixture(autouse=True)
def accepted(request, toolchains):
    """NVIDIA's licence is accepted by people, not by tests."""
    needs = "work" in request.fixturenames
    if needs and toolchains.find("tensorrt-rtx") is None and toolchains.unaccepted("tensorrt-rtx"):
        pytest.skip("not run: the tensorrt-rtx toolchain is under a proprietary licence (DLPIPE_ACCEPT_LICENCES)")


def test_they_are_backends():
    assert isinstance(RTX, Backend)
    assert isinstance(FULL, Backend)
    assert isinstance(FULL, Tunable)
    assert not isinstance(RTX, Tunable)


def test_engines_for_two_gpus_that_are_not_here(work, models, fingerprint):
    built = {name: work.built(RTX, target(name), models("branches")) for name in ("cuda-sm86", "cuda-sm89")}
    again = work.built(RTX, target("cuda-sm86"), models("branches"), fresh=True)
    digests = {name: fingerprint(folder) for name, folder in built.items()}
    assert digests["cuda-sm86"] == fingerprint(again)
    assert digests["cuda-sm86"]["model.engine"] != digests["cuda-sm89"]["model.engine"]
    about = json.loads((built["cuda-sm89"] / "run.json").read_text())
    assert (about["capability"], about["entry"]) == ("8.9", "model.engine")
    assert any(name.startswith("LICENSES/") for name in digests["cuda-sm86"])
    assert not [path for path in again.rglob("*") if ".so" in path.name]  # nothing of NVIDIA's goes with an artefact


def test_int8_with_its_biases_in_int32(work, toolchains, tmp_path):
    python = toolchains.ensure("core").python
    subprocess.run([python, Path(__file__).with_name("models.py"), tmp_path / "ir"], check=True, timeout=120)
    out, value = work(RTX.compile_call(target("cuda-sm86"), "int8"), {"ir": tmp_path / "ir"})
    assert (out / "model.engine").stat().st_size > 1000
    assert "8.6" in value["not_executed"]


def test_a_free_dim_and_an_operator_are_refused(work, models):
    with pytest.raises(Unsupported, match="free dim"):
        work.built(RTX, target("cuda-sm86"), models("free"))
    (refused,) = RTX.refusals(target("cuda-sm86"), "fp32", {"operators": {"Conv": 1, "Unique": 1}})
    assert (refused.op, "Unique" in refused.reason) == ("Unique", True)


def test_targets_that_they_do_not_build_for():
    assert "8.7" in RTX.refusals(target("cuda-sm87"), "fp32", {})[0].reason
    assert "NVIDIA" in RTX.refusals(target("arm64"), "fp32", {})[0].reason
    assert RTX.refusals(target("cuda-sm120"), "int8", {"operators": {"Conv": 1}}) == []


@no_gpu
def test_without_a_gpu_it_is_unverified_and_says_so(work, models):
    assert RTX.run_call(target("cuda-sm86"), "fp32") is None
    assert RTX.timing_call(target("cuda-sm86"), "fp32") is None
    assert "needs an NVIDIA GPU of compute capability 8.6" in FULL.refusals(target("cuda-sm86"), "fp32", {})[0].reason
    artifact = work.built(RTX, target("cuda-sm86"), models("branches"))
    run = Call(
        "tensorrt-rtx", Path(room.__file__).with_name("worker.py"), "run", {"capability": "8.6"}, libraries=(KIT,)
    )
    with pytest.raises(StageFailed, match="no NVIDIA driver"):
        work(run, {"artifact": artifact, "samples": models("branches").samples})


@no_gpu
def test_the_sample_program_says_what_it_needs(work, toolchains, models):
    artifact = work.built(RTX, target("cuda-sm86"), models("branches"))
    python = toolchains.ensure("tensorrt-rtx").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, timeout=60, check=False)
    assert "there is no NVIDIA driver" in done.stderr.splitlines()[-1]


def test_a_machine_with_that_gpu_executes_and_times_them(monkeypatch, tmp_path):
    """nvidia-smi is asked; what it prints is from its documentation."""
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\nprintf '8.6\\n8.9\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    nvidia._capabilities.cache_clear()
    try:
        assert RTX.run_call(target("cuda-sm89"), "fp32").operation == "run"
        assert RTX.timing_call(target("cuda-sm86"), "fp32").stage_class == "hardware"
        assert RTX.run_call(target("cuda-sm120"), "fp32") is None
        assert FULL.refusals(target("cuda-sm86"), "fp32", {"operators": {"Conv": 1}}) == []
        assert FULL.why_not_tuned(target("cuda-sm86")) is None
        assert "has others (8.6, 8.9)" in FULL.why_not_tuned(target("cuda-sm120"))
        call = FULL.tune_call(target("cuda-sm86"), "fp16", budget=60.0, seconds=30.0)
        assert (call.stage_class, call.params["capability"]) == ("hardware", "8.6")
    finally:
        nvidia._capabilities.cache_clear()


def test_the_operator_list_is_what_the_locked_tool_says(work):
    call = Call("tensorrt-rtx", Path(room.__file__).with_name("worker.py"), "coverage", libraries=(KIT,))
    _, said = work(call, {})
    assert said == json.loads(Path(room.__file__).with_name("operators.json").read_text())
