"""OpenCV's two engines: together they run what the others' tests run, and what neither takes is refused by name."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.targets import KIT
from dlpipe.targets import opencv as room
from dlpipe.targets.registry import backend, target

OPENCV = backend("opencv")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize(("name", "engine"), [("branches", "new"), ("lstm", "classic"), ("faces", "new")])
def test_native(work, models, name, engine):
    outputs, value = work.ran(OPENCV, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["machine"], value["device"]) == ("native", "x86_64", "CPU")
    assert value["engine"] == engine


@native
def test_int8_is_what_the_operators_say(work, models):
    """To a step of the output's scale, which is 1/255 of its range."""
    outputs, value = work.ran(OPENCV, target("x86-64"), models("quantised"), "int8")
    assert models("quantised").worst(outputs) <= 0.01
    assert value["engine"] == "classic"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "variant"), [("residual", "fp32"), ("quantised", "int8")])
def test_arm64_under_emulation(work, models, name, variant):
    outputs, value = work.ran(OPENCV, target("arm64"), models(name), variant)
    assert models(name).worst(outputs) <= {"fp32": 1e-5, "int8": 0.01}[variant]
    assert (value["machine"], value["device"]) == ("aarch64", "CPU")


def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint):
    first, second = map(fingerprint, work.twice(OPENCV, target("arm64"), models("apart")))
    assert first == second
    assert {"model.onnx", "model.onnx.data", "run.json", "run.py"} < set(first)


def test_what_neither_engine_reads_is_named(work, models):
    with pytest.raises(Unsupported, match=r"new engine: .*; classic engine: ") as refused:
        work.built(OPENCV, target("arm64"), models("scan"))
    assert (refused.value.where["op"], refused.value.where["node"]) == ("Scan", "loop")


def test_preflight():
    model = {
        "operators": {"Conv": 3, "PRelu": 1, "RNN": 1, "com.microsoft::FusedConv": 1},
        "nodes": [{"name": "second", "op": "RNN"}],
    }
    refused = OPENCV.refusals(target("arm64"), "fp32", model)
    assert [each.op for each in refused] == ["RNN", "com.microsoft::FusedConv"]
    assert "fp16" in OPENCV.refusals(target("arm64"), "fp16", {})[0].reason


@pytest.mark.slow
def test_operators_are_what_the_cases_say(work):
    """Of two; the whole list takes minutes."""
    call = Call("opencv5", Path(room.__file__).with_name("worker.py"), "coverage", libraries=(KIT,))
    _, said = work(call, {}, only=["Relu", "RNN"])
    known = json.loads(Path(room.__file__).with_name("operators.json").read_text())
    assert said["tool"] == known["tool"]
    assert said["operators"] == {op: known["operators"][op] for op in ("RNN", "Relu")}
