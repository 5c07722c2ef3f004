"""Paddle: what x2paddle converts is held against ONNX Runtime, and what it gets wrong in silence is refused."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.targets import KIT
from dlpipe.targets import paddle as room
from dlpipe.targets.registry import backend, target

PADDLE = backend("paddle")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
def test_native(work, models):
    outputs, value = work.ran(PADDLE, target("x86-64"), models("residual"))
    assert models("residual").worst(outputs) <= 1e-5
    assert (value["ran_on"], value["machine"], value["device"]) == ("native", "x86_64", "CPU")


@native
def test_pools(work, models):
    """Steps of one place, which ONNX leaves out and x2paddle would take for the kernel's size; and LRN."""
    outputs, _ = work.ran(PADDLE, target("x86-64"), models("pools"))
    assert models("pools").worst(outputs) <= 1e-5


@native
def test_an_unevenly_padded_maximum_is_wrong_and_refused(work, models):
    """Wrong by far where it is converted all the same: this is what the comparison would find."""
    node = {"name": "m", "op": "MaxPool", "attributes": {"pads": [0, 0, 1, 1]}}
    refused = PADDLE.refusals(target("x86-64"), "fp32", {"operators": {"MaxPool": 1}, "nodes": [node]})
    assert (refused[0].node, refused[0].op) == ("m", "MaxPool")
    outputs, _ = work.ran(PADDLE, target("x86-64"), models("uneven"))
    assert models("uneven").worst(outputs) > 0.01


@pytest.mark.slow
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint):
    first, second = map(fingerprint, work.twice(PADDLE, target("arm64"), models("residual")))
    assert first == second
    assert {"model.json", "model.pdiparams", "run.json", "run.py"} < set(first)


def test_arm64_is_made_and_says_why_it_is_not_executed(work, models):
    _, value = work(PADDLE.compile_call(target("arm64"), "fp32"), {"ir": models("residual").ir})
    assert "Paddle Lite" in value["not_executed"]
    assert PADDLE.run_call(target("arm64"), "fp32") is None


def test_refusals(work, models):
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(PADDLE, target("x86-64"), models("free"))
    assert refused.value.hint == "--shape height=<size>"
    with pytest.raises(Unsupported, match="does not convert Scan"):
        work.built(PADDLE, target("x86-64"), models("scan"))


def test_preflight():
    model = {"operators": {"Conv": 3, "Einsum": 1}, "nodes": [{"name": "second", "op": "Einsum"}], "opset": 18}
    refused = PADDLE.refusals(target("x86-64"), "fp32", model)
    assert [each.op for each in refused] == ["Einsum"]
    assert "paddle_lite_opt" in PADDLE.refusals(target("android-arm64"), "fp32", {})[0].hint
    assert [step.label for step in PADDLE.lowering(model)] == ["opset.11"]
    assert PADDLE.refusals(target("x86-64"), "int8", {})


def test_operators_are_what_x2paddle_says(work):
    call = Call("paddle-inference", Path(room.__file__).with_name("worker.py"), "coverage", libraries=(KIT,))
    _, said = work(call, {})
    assert said == json.loads(Path(room.__file__).with_name("operators.json").read_text())
