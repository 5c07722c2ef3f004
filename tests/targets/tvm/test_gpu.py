"""TVM for NVIDIA GPUs that are not here: kernels are compiled ahead of time, and nothing claims to have run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import dlpipe.targets.tvm as room
from dlpipe.contracts.call import Call
from dlpipe.errors import StageFailed
from dlpipe.targets import KIT
from dlpipe.targets.registry import backend, target

TVM = backend("tvm")
pytestmark = pytest.mark.slow
no_gpu = pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="not run: says what happens without a GPU")


@pytest.fixture(autouse=True)
def accepted(request, toolchains):
    """NVIDIA's licence is accepted by people, not by tests."""
    needs = "work" in request.fixturenames
    if needs and toolchains.find("tvm-cuda") is None and toolchains.unaccepted("tvm-cuda"):
        pytest.skip("not run: the tvm-cuda toolchain is under a proprietary licence (DLPIPE_ACCEPT_LICENCES)")


@no_gpu
def test_kernels_for_a_gpu_that_is_not_here(work, models, toolchains, fingerprint):
    call = TVM.compile_call(target("cuda-sm86"), "fp32")
    artifact, value = work(call, {"ir": models("branches").ir})
    again, _ = work(call, {"ir": models("branches").ir})
    assert fingerprint(artifact) == fingerprint(again)
    cubin = (artifact / "kernels.cubin").read_bytes()
    assert cubin.startswith(b"\x7fELF")
    assert cubin[18:20] == (190).to_bytes(2, "little")  # EM_CUDA
    assert b"_kernel" in cubin
    assert json.loads((artifact / "run.json").read_text())["capability"] == "8.6"
    assert "8.6" in value["not_executed"]

    assert TVM.run_call(target("cuda-sm86"), "fp32") is None
    run = Call("tvm-cuda", Path(room.__file__).with_name("gpu.py"), "run", libraries=(KIT,))
    with pytest.raises(StageFailed, match="no NVIDIA driver"):
        work(run, {"artifact": artifact, "samples": models("branches").samples})
    python = toolchains.ensure("tvm-cuda").python
    sample = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=False, timeout=60)
    assert (sample.returncode, "needs an NVIDIA GPU of compute capability 8.6" in sample.stderr) == (1, True)


def test_what_is_known_before_any_time_is_spent():
    assert TVM.variants(target("cuda-sm90")) == ("fp32", "fp16")
    assert TVM.refusals(target("cuda-sm90"), "fp16", {"operators": {"Conv": 1}}) == []
    assert TVM.refusals(target("cuda-sm90"), "int8", {})
    assert "is none" in str(TVM.why_not_tuned(target("cuda-sm90")))
