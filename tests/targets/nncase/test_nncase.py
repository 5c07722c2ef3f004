"""nncase: compiled for the K210 and executed in its simulator."""

from __future__ import annotations

import json
import platform
import subprocess

import pytest

from dlpipe.errors import Unsupported
from dlpipe.passes.registry import pass_call
from dlpipe.targets.registry import backend, target
from tests.targets.conftest import Model

NNCASE, K210 = backend("nncase"), target("k210")


@pytest.fixture(autouse=True)
def _x86():
    if platform.machine() != "x86_64":
        pytest.skip("not run: nncase's packages are for x86-64")


@pytest.fixture
def lowered(work, models):
    def lower(name):
        model = models(name)
        ir, _ = work(pass_call("opset", version=11), {"ir": model.ir})
        return Model(ir, model.samples, model.reference)

    return lower


@pytest.mark.parametrize(("variant", "least", "most"), [("fp32", 0, 1e-5), ("int8", 1e-4, 0.1)])
def test_it_agrees_with_onnx_runtime(work, lowered, fingerprint, variant, least, most):
    model = lowered("residual")
    inputs = {"ir": model.ir, "samples": model.samples}
    (artifact, value), (again, _) = (work(NNCASE.compile_call(K210, variant), inputs) for _ in range(2))
    assert fingerprint(artifact) == fingerprint(again)
    assert value["estimates"]["working_memory"]["value"] > 1000
    outputs, ran = work(NNCASE.run_call(K210, variant), {"artifact": artifact, "samples": model.samples})
    assert least <= model.worst(outputs) <= most  # 8 bits were really computed
    assert ran["ran_on"] == "simulator:nncase"


def test_the_sample_program(work, lowered, toolchains, answers):
    model = lowered("residual")
    artifact = work.built(NNCASE, K210, model)
    about = json.loads((artifact / "run.json").read_text())
    python = toolchains.ensure("nncase").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith(about["outputs"][0]["name"])
    assert model.apart(answers(python, artifact, model.samples)) <= 1e-5
    assert any(each.name.startswith("nncase") for each in (artifact / "LICENSES").iterdir())


def test_what_it_does_not_take_is_refused(work, lowered):
    with pytest.raises(Unsupported, match="Det"):
        work.built(NNCASE, K210, lowered("det"))
    model = lowered("residual")
    with pytest.raises(Unsupported, match="has 1,000"):
        work(NNCASE.compile_call(K210, "fp32"), {"ir": model.ir}, memory=1000)


def test_preflight():
    assert ".NET 7" in NNCASE.refusals(target("k230"), "int8", {})[0].reason
    assert "is no K210" in NNCASE.refusals(target("arm64"), "int8", {})[0].reason
    two = {"inputs": [{"name": "a", "shape": [1]}, {"name": "b", "shape": [1]}]}
    assert "one input" in NNCASE.refusals(K210, "int8", two)[0].reason
    assert NNCASE.refusals(K210, "fp32", two) == []
    assert [step.label for step in NNCASE.lowering({"operators": {"Conv": 1}, "opset": 18})] == ["opset.11"]
