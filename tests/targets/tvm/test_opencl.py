"""TVM's kernels in OpenCL C, executed on PoCL."""

from __future__ import annotations

import json
import platform

import pytest

from dlpipe.targets.registry import backend, target

TVM, OPENCL = backend("tvm"), target("opencl")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: PoCL is had for x86-64 here"),
]


@pytest.mark.parametrize("name", ["branches", "encoder", "pools"])
def test_it_agrees_with_onnx_runtime(work, models, name):
    outputs, value = work.ran(TVM, OPENCL, models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert value["ran_on"] == "simulator:pocl"
    assert value["device"].startswith(("pthread", "basic", "cpu"))


def test_the_same_bytes_twice_and_the_kernels_are_all_there_is(work, models, fingerprint):
    made, again = work.twice(TVM, OPENCL, models("branches"))
    assert fingerprint(made) == fingerprint(again)
    about = json.loads((made / "run.json").read_text())
    source = (made / "kernels.cl").read_text()
    assert {each["kernel"] for each in about["launches"]} == {
        line.split("(")[0].split()[-1]
        for line in source.splitlines()
        if line.startswith("__kernel") and line.endswith("{")
    }


def test_preflight():
    assert TVM.variants(OPENCL) == ("fp32",)
    assert TVM.refusals(OPENCL, "fp32", {"operators": {"Conv": 1}}) == []
    assert TVM.timing_call(OPENCL, "fp32") is None
