"""QNN: compiled for Hexagon and executed in Qualcomm's simulator, with the CPU locked out.

Its toolchain is proprietary: these tests run where somebody has accepted its licence.
"""

from __future__ import annotations

import json
import platform
import subprocess

import pytest

from dlpipe.errors import StageFailed, Unsupported
from dlpipe.passes.registry import pass_call
from dlpipe.targets.registry import backend, target
from tests.targets.conftest import Model

QNN = backend("qnn")
QUANTISED = target("hexagon-v73").options["quantisation"]


@pytest.fixture(autouse=True)
def _accepted(toolchains):
    if platform.machine() != "x86_64":
        pytest.skip("not run: Qualcomm's simulator is for x86-64")
    if toolchains.unaccepted("qnn") is not None:
        pytest.skip("not run: the licence of the qnn toolchain is not accepted")


@pytest.fixture
def int8(work, models):
    """int8(name): the model as the recipe int8 makes it for these targets."""

    def quantise(name):
        model = models(name)
        ir, _ = work(pass_call("quantize-int8", **QUANTISED), {"ir": model.ir, "samples": model.samples})
        return Model(ir, model.samples, model.reference)

    return quantise


@pytest.mark.parametrize(("name", "arch", "within"), [("branches", 73, 0.01), ("lstm", 75, 0.01)])
def test_fp16_in_the_simulator(work, models, name, arch, within):
    outputs, value = work.ran(QNN, target(f"hexagon-v{arch}"), models(name), "fp16")
    assert 1e-6 < models(name).worst(outputs) <= within  # half precision was really computed
    assert value["ran_on"] == "simulator:qnn-htp"
    assert (value["context_nodes"], value["other_nodes"], value["cpu_fallback"]) == (1, 0, "disabled")


@pytest.mark.parametrize("arch", [68, 79])
def test_int8_in_the_simulator(work, int8, arch):
    outputs, value = work.ran(QNN, target(f"hexagon-v{arch}"), int8("branches"), "int8")
    assert int8("branches").worst(outputs) <= 0.05
    assert value["ran_on"] == "simulator:qnn-htp"


def test_a_compile_gives_the_same_bytes_every_time(work, int8, fingerprint):
    model = int8("branches")
    first, second = map(fingerprint, work.twice(QNN, target("hexagon-v73"), model, "int8"))
    assert first == second
    files = {"model_ctx.onnx", "model_ctx_qnn.bin", "run.json", "run.py", "LICENSES/runtime.txt"}
    assert set(first) == files  # nothing of Qualcomm's is among them


def test_an_artefact_that_computes_elsewhere_is_no_result(work, models):
    artifact = work.built(QNN, target("hexagon-v73"), models("branches"), "fp16", fresh=True)
    (artifact / "model_ctx.onnx").write_bytes((models("branches").ir / "model.onnx").read_bytes())
    with pytest.raises(StageFailed, match="computes outside of the NPU"):
        work(QNN.run_call(target("hexagon-v73"), "fp16"), {"artifact": artifact, "samples": models("branches").samples})


def test_the_sample_program_runs(work, models, toolchains, answers):
    artifact = work.built(QNN, target("hexagon-v73"), models("branches"), "fp16")
    python = toolchains.ensure("qnn").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=True, timeout=120)
    assert "file [" in done.stdout
    assert models("branches").apart(answers(python, artifact, models("branches").samples)) <= 0.01
    assert json.loads((artifact / "run.json").read_text())["options"] == {"htp_arch": 73, "soc_model": 43}


def test_what_the_npu_does_not_take_is_named(work, models):
    with pytest.raises(Unsupported, match="does not take") as refused:
        work.built(QNN, target("hexagon-v73"), models("det"), "fp16")
    assert refused.value.where["op"] == "Det"


def test_preflight(models):
    about = {"operators": {"Conv": 1, "If": 1}, "nodes": [{"name": "choice", "op": "If"}], "inputs": []}
    (refused,) = QNN.refusals(target("hexagon-v73"), "int8", about)
    assert refused.op == "If"
    free = {"operators": {}, "inputs": [{"name": "x", "shape": ["N", 3, "height"]}]}
    (refused,) = QNN.refusals(target("hexagon-v73"), "int8", free)
    assert refused.hint == "--shape height=<size>"
    assert "no fp16" in QNN.refusals(target("hexagon-v68"), "fp16", about)[0].reason
    assert "no Hexagon" in QNN.refusals(target("x86-64"), "fp16", about)[0].reason
    norm = {"operators": {"LayerNormalization": 1, "QuantizeLinear": 2}}
    assert [step.name for step in QNN.lowering(norm)] == ["decompose", "fold-constants"]
