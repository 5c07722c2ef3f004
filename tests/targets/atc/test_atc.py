"""Huawei's compilers are not to be had here: what can be tested is what they would be called with, and what is said."""

from __future__ import annotations

import pytest

from dlpipe.targets.atc.command import command
from dlpipe.targets.registry import backend, target

ATC = backend("atc")
INPUTS = [{"name": "image", "shape": [1, 3, 224, 224]}, {"name": "mask", "shape": [1, 10]}]


@pytest.fixture(autouse=True)
def _no_toolkit(monkeypatch, tmp_path):
    for variable in ("ASCEND_TOOLKIT_HOME", "HIAI_DDK_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))


def test_the_command_lines_are_those_of_the_manuals():
    assert command("atc", "m.onnx", "out/model", INPUTS, "Ascend310P3") == [
        "atc",
        "--model=m.onnx",
        "--framework=5",
        "--output=out/model",
        "--input_shape=image:1,3,224,224;mask:1,10",
        "--soc_version=Ascend310P3",
        "--precision_mode=allow_fp32_to_fp16",
    ]
    assert command("omg", "m.onnx", "model", INPUTS[:1], "") == [
        "omg",
        "--model=m.onnx",
        "--framework=5",
        "--output=model",
        "--input_shape=image:1,3,224,224",
    ]


@pytest.mark.parametrize(("name", "needs"), [("ascend-310", "CANN"), ("kirin-npu", "HiAI")])
def test_without_the_toolkit_it_is_told_what_is_needed_and_how_to_get_it(name, needs):
    (refused,) = ATC.refusals(target(name), "fp16", {"operators": {"Conv": 1}})
    assert needs in refused.reason
    assert "below /usr" in refused.hint
    assert ATC.run_call(target(name), "fp16") is None


def test_a_toolkit_that_is_there_is_part_of_the_key(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "atc").touch()
    (tmp_path / "version.cfg").write_text("runtime_running_version=[8.0]\n")
    model = {"operators": {"Conv": 1}, "inputs": [{"name": "x", "shape": ["N", 3, "side"]}]}
    (refused,) = ATC.refusals(target("ascend-310"), "fp16", model)
    assert refused.hint == "--shape side=<size>"
    params = ATC.compile_call(target("ascend-310"), "fp16").params
    assert (params["soc_version"], params["version"]) == ("Ascend310", "runtime_running_version=[8.0]")
    assert "AMCT" in ATC.refusals(target("ascend-310"), "int8", {})[0].reason
    assert "no Huawei NPU" in ATC.refusals(target("arm64"), "fp16", {})[0].reason
