"""ONNX Runtime on CUDA: the artefact is made here, and an ONNX Runtime that would use the CPU instead is an error."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import dlpipe.targets.onnxruntime_cuda as room
from dlpipe.contracts.backend import Backend
from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed, Unsupported
from dlpipe.targets import KIT
from dlpipe.targets.registry import backend, target

CUDA = backend("onnxruntime-cuda")


def test_it_is_a_backend():
    assert isinstance(CUDA, Backend)


def test_the_artefact_is_made_and_not_said_to_have_run(work, models, fingerprint):
    first = work.built(CUDA, target("cuda-sm90"), models("branches"))
    assert fingerprint(first) == fingerprint(work.built(CUDA, target("cuda-sm90"), models("branches"), fresh=True))
    assert json.loads((first / "run.json").read_text())["capability"] == "9.0"
    if shutil.which("nvidia-smi") is None:
        assert CUDA.run_call(target("cuda-sm90"), "fp32") is None
        assert CUDA.timing_call(target("cuda-sm90"), "fp32") is None


def test_the_cpu_is_never_taken_in_its_place(work, models, toolchains):
    """The ONNX Runtime of the core toolchain has no CUDA kernels: asked for them, it would run on the CPU."""
    artifact = work.built(CUDA, target("cuda-sm86"), models("branches"))
    run = Call("core", Path(room.__file__).with_name("worker.py"), "run", {"capability": "8.6"}, libraries=(KIT,))
    with pytest.raises(StageFailed, match="no CUDA kernels"):
        work(run, {"artifact": artifact, "samples": models("branches").samples})
    python = toolchains.ensure("core").python
    sample = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=False, timeout=60)
    assert (sample.returncode, "not on the GPU: ONNX Runtime has ['CPU" in sample.stderr) == (1, True)


def test_refusals(work, models):
    assert "NVIDIA" in CUDA.refusals(target("x86-64"), "fp32", {})[0].reason
    assert "int8" in CUDA.refusals(target("cuda-sm86"), "int8", {})[0].reason
    assert CUDA.refusals(target("cuda-sm100"), "fp16", {}) == []
    broken = models("branches").ir / "model.onnx"
    copy = work.folder / "ir"
    copy.mkdir()
    shutil.copyfile(models("branches").ir / "contract.json", copy / "contract.json")
    (copy / "model.onnx").write_bytes(broken.read_bytes()[:100])
    with pytest.raises(Unsupported, match="ONNX Runtime does not take"):
        work(CUDA.compile_call(target("cuda-sm86"), "fp32"), {"ir": copy})
