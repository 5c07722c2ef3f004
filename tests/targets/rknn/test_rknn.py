"""RKNN: compiled for Rockchip's NPUs and executed in the toolkit's simulator.

Its toolchain is proprietary: these tests run where somebody has accepted its licence.
"""

from __future__ import annotations

import platform
import subprocess

import pytest

from dlpipe.errors import StageFailed, Unsupported
from dlpipe.passes.registry import pass_call
from dlpipe.targets.registry import backend, target
from tests.targets.conftest import Model

RKNN = backend("rknn")
QUANTISED = target("rk3588").options["quantisation"]


@pytest.fixture(autouse=True)
def _accepted(toolchains):
    if platform.machine() != "x86_64":
        pytest.skip("not run: Rockchip's simulator is for x86-64")
    if toolchains.unaccepted("rknn") is not None:
        pytest.skip("not run: the licence of the rknn toolchain is not accepted")


@pytest.fixture
def int8(work, models):
    """int8(name): the model as the recipe int8 makes it for these targets."""

    def quantise(name):
        model = models(name)
        ir, _ = work(pass_call("quantize-int8", **QUANTISED), {"ir": model.ir, "samples": model.samples})
        return Model(ir, model.samples, model.reference)

    return quantise


@pytest.mark.slow
def test_fp16_in_the_simulator(work, models):
    model = models("lstm")
    outputs, value = work.ran(RKNN, target("rk3566"), model, "fp16")
    assert 1e-6 < model.worst(outputs) <= 0.01  # half precision was really computed
    assert value["ran_on"] == "simulator:rknn"


@pytest.mark.slow
def test_what_is_simulated_is_the_artefact_byte_by_byte(work, models, fingerprint):
    model = models("branches")
    artifact = work.built(RKNN, target("rk3588"), model, "fp16", fresh=True)
    # nothing of Rockchip's is among them
    files = {"model.rknn", "simulation/model.onnx", "run.json", "run.py", "LICENSES/runtime.txt"}
    assert set(fingerprint(artifact)) == files
    inputs = {"artifact": artifact, "samples": model.samples}
    outputs, value = work(RKNN.run_call(target("rk3588"), "fp16"), inputs)
    assert value["rebuilt"] == "the same bytes"
    assert model.worst(outputs) <= 0.01
    (artifact / "model.rknn").write_bytes((artifact / "model.rknn").read_bytes()[:-1] + b"!")
    with pytest.raises(StageFailed, match="cannot be simulated"):
        work(RKNN.run_call(target("rk3588"), "fp16"), inputs)


BOARD = """
import numpy, onnxruntime

class RKNNLite:
    \"\"\"Its calls are those of rknn-toolkit-lite2; it computes the model that the file was built of.\"\"\"

    def load_rknn(self, path):
        self.source = path.replace("model.rknn", "simulation/model.onnx")
        return 0

    def init_runtime(self):
        self.session = onnxruntime.InferenceSession(self.source)
        return 0

    def inference(self, inputs, data_format=None):
        assert data_format == ["nchw"] * len(inputs)
        ports = self.session.get_inputs()
        feed = {port.name: each for port, each in zip(ports, inputs, strict=True)}
        return self.session.run(None, feed)

    def release(self):
        self.session = None
"""


@pytest.mark.slow
def test_the_sample_program_asks_the_runtime_of_the_board(work, models, toolchains, answers, tmp_path):
    """That runtime is for Arm and needs the NPU, so another one of the same calls stands in for it."""
    artifact, model = work.built(RKNN, target("rk3588"), models("branches"), "fp16"), models("branches")
    python = toolchains.ensure("core").python
    alone = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, check=False, timeout=60)
    assert "No module named 'rknnlite'" in alone.stderr
    (tmp_path / "rknnlite").mkdir()
    (tmp_path / "rknnlite" / "api.py").write_text(BOARD)
    assert model.apart(answers(python, artifact, model.samples, PYTHONPATH=str(tmp_path))) <= 1e-3


@pytest.mark.slow
def test_int8_keeps_the_scales_of_the_recipe(work, int8):
    outputs, value = work.ran(RKNN, target("rk3588"), int8("branches"), "int8")
    assert int8("branches").worst(outputs) <= 0.05
    assert value["ran_on"] == "simulator:rknn"


def test_a_free_dim_is_refused_with_the_option_that_settles_it(work, models):
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(RKNN, target("rk3588"), models("free"), "fp16")
    assert refused.value.hint == "--shape height=<size>"


def test_preflight():
    about = {"operators": {"NonZero": 1}, "nodes": [{"name": "where", "op": "NonZero"}], "opset": 21}
    refused = RKNN.refusals(target("rk3588"), "int8", about)
    assert [each.op for each in refused] == ["NonZero", None]
    assert "opset 21" in refused[1].reason
    assert [step.label for step in RKNN.lowering(about)] == ["opset.19"]
    assert "no Rockchip NPU" in RKNN.refusals(target("arm64"), "fp16", about)[0].reason
