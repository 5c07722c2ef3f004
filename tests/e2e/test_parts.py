"""What a backend cannot do is left to another one: an artefact in parts, run and compared as any."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from dlpipe.toolchains import Toolchains
from tests.conftest import Bench
from tests.e2e.user import User

BRANCH = """<ir_version: 9, opset_import: ["" : 17]>
g (float[1,3,8,8] x, bool flag) => (float[1,4,8,8] y)
{
  [first] c = Conv<pads=[1,1,1,1]>(x, w, b)
  [relu] r = Relu(c)
  [branch] i = If(flag) <
    then_branch = t () => (float[1,4,8,8] p) { p = Sqrt(r) },
    else_branch = e () => (float[1,4,8,8] n) { n = Neg(r) }
  >
  [last] d = Conv<pads=[1,1,1,1]>(i, v)
  [gate] s = Sigmoid(r)
  [sum] y = Add(d, s)
}"""


@pytest.mark.slow
def test_an_artefact_in_parts(settled_user: User, bench: Bench, toolchains: Toolchains) -> None:
    model = settled_user.folder / "branch.onnx"
    shutil.copyfile(bench.build(BRANCH, weights={"w": [4, 3, 3, 3], "b": [4], "v": [4, 4, 3, 3]}) / "model.onnx", model)
    asked = (model, "-t", "x86-64", "-b", "ncnn", "--precision", "fp32")
    assert settled_user.dlpipe("plan", *asked).code == 3
    allowed = (*asked, "--allow-fallback", "onnxruntime")
    assert "then onnxruntime (branch), then ncnn (last, sum)" in settled_user.ok("plan", *allowed).out
    report = settled_user.ok("convert", *allowed, "-o", "parts", "--json").json
    (made,) = report["artifacts"]
    assert (made["verdict"], made["ran_on"], made["backend"]) == ("passed", "native", "ncnn")
    assert [(each["backend"], each["nodes"]) for each in made["parts"]] == [
        ("ncnn", ["first", "relu", "gate"]),
        ("onnxruntime", ["branch"]),
        ("ncnn", ["last", "sum"]),
    ]
    latency = made["cost"]["latency_p50"]
    assert latency["provenance"] == "measured"
    assert latency["value"] > 0
    assert latency["reason"].startswith("the sum of its 3 parts, ")
    for key in ("cold_start", "warm_start", "peak_memory"):  # not those of several processes
        figure = made["cost"][key]
        assert (figure["value"], figure["provenance"]) == (None, "absent")
        assert "no one process holds them all" in figure["reason"]
    folder = settled_user.folder / "parts" / "artifacts" / "x86-64" / "ncnn-fp32"
    assert "they agree" in settled_user.ok("compare", model, folder).out
    timed = settled_user.ok("bench", model, folder, "--json").json["timed"][str(folder)]
    assert timed["in_parts"].startswith("the sum of its 3 parts, ")
    assert timed["cost"]["latency_p50"]["reason"].startswith(timed["in_parts"])
    assert timed["speedups"][0]["value"] > 0
    # The sample program, with the runtimes of both.
    python, ncnn = toolchains.ensure("core").python, toolchains.ensure("ncnn").root
    assert python is not None
    (packages,) = Path(ncnn).glob("lib/python3*/site-packages")
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    command = [python, folder / "run.py"]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=120).stdout
    assert said.startswith("y (1, 4, 8, 8)")
    # With two files it writes its answers: those of the original, whichever branch is taken.
    for flag in (False, True):
        feed = np.random.default_rng(5).standard_normal((1, 3, 8, 8), np.float32)
        np.savez(settled_user.folder / "given.npz", x=feed, flag=np.array(flag))
        files = [settled_user.folder / name for name in ("given.npz", "found.npz", "wanted.npz")]
        subprocess.run([*command, *files[:2]], env=environment, capture_output=True, check=True, timeout=120)
        subprocess.run([python, "-c", ORIGINAL, model, files[0], files[2]], check=True, timeout=120)
        with np.load(files[1]) as found, np.load(files[2]) as wanted:
            np.testing.assert_allclose(found["arr_0"], wanted["arr_0"], atol=1e-5)


ORIGINAL = """
import sys, numpy, onnxruntime
feed = dict(numpy.load(sys.argv[2]))
numpy.savez(sys.argv[3], *onnxruntime.InferenceSession(sys.argv[1]).run(None, feed))
"""

TRUTHS = """<ir_version: 9, opset_import: ["" : 17]>
g (float[1,3,8,8] x) => (float[1,4,8,8] y) <float[1] limit = {0.25}>
{
  [first] c = Conv<pads=[1,1,1,1]>(x, w)
  [above] g = Greater(c, limit)
  [below] n = Not(g)
  [cast] f = Cast<to=1>(n)
  [product] y = Mul(f, c)
}"""


@pytest.mark.slow
def test_what_only_the_converter_finds_is_cut_out_too(settled_user: User, bench: Bench) -> None:
    """ncnn's pre-flight knows nothing of Greater: its converter names it, and the rest is tried again."""
    model = settled_user.folder / "truths.onnx"
    shutil.copyfile(bench.build(TRUTHS, weights={"w": [4, 3, 3, 3]}) / "model.onnx", model)
    asked = ("convert", model, "-t", "x86-64", "-b", "ncnn", "--precision", "fp32", "--json")
    alone = settled_user.dlpipe(*asked, "-o", "alone")
    assert alone.code != 0
    assert "ncnn has no layer" in alone.json["artifacts"][0]["reason"]
    (made,) = settled_user.ok(*asked, "-o", "both", "--allow-fallback", "onnxruntime").json["artifacts"]
    assert made["verdict"] == "passed"
    assert [(each["backend"], each["nodes"]) for each in made["parts"]] == [
        ("ncnn", ["first"]),
        ("onnxruntime", ["above", "below", "cast"]),
        ("ncnn", ["product"]),
    ]
