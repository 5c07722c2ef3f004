"""Inductor: C++ made for what the target has, and not for what this machine has."""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains.pool import WorkerPool

INDUCTOR = backend("inductor")
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64" or shutil.which("g++") is None, reason="not run: needs an x86-64 machine with g++"
)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["branches", "encoder", "residual"])
def test_native(work, models, name):
    outputs, value = work.ran(INDUCTOR, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["machine"], value["threads"], value["march"]) == ("native", "x86_64", 1, "x86-64")


@pytest.mark.slow
def test_generated_code_uses_what_the_target_has(work, models, tmp_path):
    """The vectors of AVX (ymm) are in the code for x86-64-v3, and not in that for any x86-64."""
    if target("x86-64-v3").runner != "native" or shutil.which("objdump") is None:
        pytest.skip("not run: needs AVX2 and objdump")
    wide = {name: _wide(work.built(INDUCTOR, target(name), models("encoder")), tmp_path) for name in LEVELS}
    assert wide == {"x86-64": False, "x86-64-v3": True}


LEVELS = ("x86-64", "x86-64-v3")


def _wide(artifact, folder):
    with zipfile.ZipFile(artifact / "model.pt2") as package:
        (name,) = (each for each in package.namelist() if each.endswith(".so"))
        (folder / "model.so").write_bytes(package.read(name))
    said = subprocess.run(["objdump", "-d", folder / "model.so"], capture_output=True, text=True, check=True).stdout
    return re.search(r"%ymm", said) is not None


@pytest.mark.slow
def test_the_same_bytes_twice(toolchains, models, fingerprint, tmp_path):
    """Behind a timing too, which makes torch write other bytes in the same process."""
    model = models("encoder")
    call, timing = INDUCTOR.compile_call(target("x86-64"), "fp32"), INDUCTOR.timing_call(target("x86-64"), "fp32")
    with WorkerPool(toolchains, tmp_path / "workers", keep_logs=tmp_path) as pool:
        pool.run(call, {"ir": model.ir}, tmp_path / "first")
        timed = replace(timing, params={**timing.params, "handle": "first", "warmup": 1, "runs": 2})
        pool.run(timed, {"artifact": tmp_path / "first", "samples": model.samples}, tmp_path / "timed")
        pool.run(call, {"ir": model.ir}, tmp_path / "second")
    made = tmp_path / "first"
    first = fingerprint(made)
    assert first == fingerprint(tmp_path / "second")
    compiler = json.loads((made / "run.json").read_text())["code"]["compiler"]
    assert compiler.startswith("g++ ")
    # ... and it is a part of the stage's key: with another compiler the package is made anew
    assert INDUCTOR.compile_call(target("x86-64"), "fp32").params["compiler"] == compiler
    assert {"model.pt2", "run.json", "run.py"} <= set(first)


@pytest.mark.slow
def test_the_example_in_cpp_compiles_and_runs(work, models, toolchains, tmp_path):
    artifact = work.built(INDUCTOR, target("x86-64"), models("encoder"))
    torch = next(toolchains.ensure("training").python.parents[1].glob("lib/python3.*/site-packages/torch"))
    options = [f"-I{torch}/include", f"-L{torch}/lib", f"-Wl,-rpath,{torch}/lib", "-Wl,--no-as-needed"]
    command = ["g++", "-std=c++20", artifact / "example.cc", "-o", tmp_path / "example", *options]
    subprocess.run([*command, "-ltorch", "-ltorch_cpu", "-lc10"], check=True, timeout=600)
    (port,) = json.loads((artifact / "run.json").read_text())["inputs"]
    sizes = ",".join(str(dim) if isinstance(dim, int) else "1" for dim in port["shape"])
    command = [tmp_path / "example", artifact / "model.pt2", sizes]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.startswith("output 0: 168 numbers, ")  # 1x7x24


def test_what_torch_does_not_compute_is_named(work, models):
    with pytest.raises(Unsupported, match="Det cannot be computed in torch") as refused:
        work.built(INDUCTOR, target("x86-64"), models("det"))
    assert refused.value.where["op"] == "Det"


def test_preflight():
    assert "x86-64 Linux only" in INDUCTOR.refusals(target("arm64"), "fp32", {})[0].reason
    assert "int8" in INDUCTOR.refusals(target("x86-64"), "int8", {})[0].reason
    assert INDUCTOR.refusals(target("x86-64"), "fp32", {"operators": {"Conv": 3}}) == []
