"""Pre-flight: what a backend cannot do, by node, before any time is spent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from dlpipe.errors import GateFailed, UserError
from dlpipe.pipeline.artifacts import candidates
from dlpipe.pipeline.plan import make_plan
from dlpipe.pipeline.preflight import refusals
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains import Toolchains


def test_nodes_are_looked_up_where_a_backend_names_the_operator():
    nodes = [{"name": f"branch_{number}", "op": "If"} for number in range(5)]
    model = {"operators": {"If": 5, "Conv": 1}, "nodes": [*nodes, {"name": "c", "op": "Conv"}]}
    (found,) = refusals(backend("ncnn"), target("arm64"), "fp32", model)
    assert found.nodes == tuple(each["name"] for each in nodes)
    assert str(found).endswith("(5 nodes: branch_0, branch_1, branch_2, ...)")


def test_a_backend_makes_nothing_for_hardware_that_does_not_list_it():
    """A CPU's artefact "for" an NPU is no artefact for it."""
    for name in ("ncnn", "onnxruntime"):
        (found,) = refusals(backend(name), target("ethos-u55-128"), "fp32", {"operators": {}, "nodes": []})
        assert str(found) == f"{name} makes nothing for ethos-u55-128; its backends: vela"


@pytest.mark.parametrize(
    ("targets", "made"),
    [
        (("x86-64", "cortex-m4"), {("x86-64", "litert"), ("cortex-m4", "c-source")}),
        (("cortex-m4",), {("cortex-m4", "litert"), ("cortex-m4", "c-source")}),  # refused, and said so
    ],
)
def test_with_several_targets_each_takes_its_own_backends(targets, made):
    request = ConvertRequest("m.onnx", targets, backends=("litert", "c-source"), precision="int8")
    found = {(name, each.backend.name) for name in targets for each in candidates(target(name), request)}
    assert found == made


@pytest.mark.parametrize(
    ("name", "tool", "said"),
    [
        ("rk3588", "rknn", "no fp32 can be made for rk3588: rknn makes fp16 and int8 only"),
        ("x86-64", "qnn", "no fp32 can be made for x86-64: qnn: x86-64 has no Hexagon NPU"),
        ("x86-64", "vela", "no fp32 can be made for x86-64: vela: Vela compiles for Ethos-U NPUs"),
    ],
)
def test_a_precision_that_no_backend_makes(name: str, tool: str, said: str) -> None:
    with pytest.raises(UserError) as raised:
        candidates(target(name), ConvertRequest("m.onnx", (name,), backends=(tool,), precision="fp32"))
    assert raised.value.message.startswith(said)


@pytest.mark.slow
def test_a_plan_says_what_is_ruled_out(
    shared: Path, tmp_path: Path, toolchains: Toolchains, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolchains.ensure("core")
    (tmp_path / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(tmp_path))
    model = str(shared / "models/silero_vad")
    with Session() as session:
        request = ConvertRequest(model, ("arm64",), backends=("ncnn", "onnxruntime"))
        plan = make_plan(session, request, preflight=True)
    said = {(each["backend"], each["variant"]): each["refusals"] for each in plan.artifacts}
    assert said["onnxruntime", "fp32"] == []
    assert said["ncnn", "fp32"] == ["If: ncnn's graphs have no branches (at If_0)"]
    assert "ruled out: ncnn (fp32, fp16): If" in plan.as_text()
    assert plan.error is None
    nothing = replace(plan, artifacts=tuple(each for each in plan.artifacts if each["backend"] == "ncnn"))
    assert "arm64, executed: qemu-user: nothing is left" in nothing.as_text()
    assert isinstance(nothing.error, GateFailed)
    assert "ncnn (fp32, fp16): If: ncnn's graphs have no branches (at If_0)" in nothing.error.message
