"""Core ML: packages are converted, read back and computed here; never said to have run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.ir import TORCH_MODULE
from dlpipe.targets import KIT, coreml
from dlpipe.targets.registry import backend, target

COREML = backend("coreml")
IOS = target("ios")


@pytest.mark.parametrize(
    ("name", "variant", "at_most"),
    [
        ("branches", "fp32", 1e-5),
        ("residual", "fp32", 1e-5),
        ("residual", "fp16", 1e-2),
        ("encoder", "fp32", 1e-5),
        pytest.param("lstm", "fp32", 1e-5, marks=pytest.mark.slow),
        pytest.param("faces", "fp32", 1e-4, marks=pytest.mark.slow),
    ],
)
def test_what_was_written_computes_what_the_model_does(work, models, name, variant, at_most):
    artifact, value = work(COREML.compile_call(IOS, variant), {"ir": models(name).ir})
    assert value["difference"] <= at_most
    assert "Apple's systems only" in value["not_executed"]
    assert "computed here in torch" in value["not_executed"]
    assert COREML.run_call(IOS, variant) is None
    assert any("read back" in note for note in work.notes)
    assert (artifact / "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin").is_file()


def test_weights_are_the_models_own_or_halved(work, models):
    stored = {}
    for variant in ("fp32", "fp16"):
        artifact, value = work(COREML.compile_call(IOS, variant), {"ir": models("residual").ir})
        assert value["weights"]["the_models_own"] == value["weights"]["numbers"] > 0
        stored[variant] = (artifact / "model.mlpackage/Data/com.apple.CoreML/weights/weight.bin").stat().st_size
    assert stored["fp16"] < 0.7 * stored["fp32"]


def test_another_weight_or_type_is_found(work, models):
    libraries = (KIT, TORCH_MODULE, Path(coreml.__file__).parent)
    worker = Path(__file__).with_name("damaged") / "worker.py"
    _, (whole, damaged, said) = work(
        Call("coreml", worker, "compare", {}, libraries=libraries), {"ir": models("residual").ir}
    )
    assert whole["difference"] <= 1e-5
    assert damaged["difference"] > 0.01
    assert damaged["weights"]["the_models_own"] < whole["weights"]["the_models_own"]
    assert "other outputs than the model's: y: " in said


def test_the_same_bytes_twice_and_for_macs(work, models, fingerprint):
    first, second, mac = (
        fingerprint(work.built(COREML, target(name), models("residual"), fresh=again))
        for name, again in (("ios", False), ("ios", True), ("apple-m1", False))
    )
    assert first == second
    assert {"run.json", "run.py", "run.swift", "LICENSES/coremltools-LICENSE.txt"} < set(first)
    package = [name for name in first if name.startswith("model.mlpackage/")]
    assert len(package) == 3
    assert all(first[name] == mac[name] for name in package)


def test_every_port_is_named_as_it_is_in_the_package(work, models):
    artifact = work.built(COREML, IOS, models("branches"))
    described = json.loads((artifact / "run.json").read_text())
    assert [(each["name"], each["feature_dtype"]) for each in described["inputs"]] == [
        ("a", "float32"),
        ("b", "float32"),
    ]
    assert described["operators"]["conv"] == 1
    assert described["minimum_os"] == "iOS 16 or macOS 13"


def test_the_sample_program_says_that_it_needs_a_mac(work, models, toolchains):
    artifact = work.built(COREML, IOS, models("residual"))
    python = toolchains.ensure("coreml").python
    done = subprocess.run([python, artifact / "run.py"], capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert "run this on a Mac" in done.stderr


def test_what_cannot_be_converted_is_named(work, models):
    with pytest.raises(Unsupported, match="Det cannot be computed in torch") as refused:
        work.built(COREML, IOS, models("det"))
    assert refused.value.where["op"] == "Det"
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(COREML, IOS, models("free"))
    assert refused.value.hint == "--shape height=<size>"


def test_preflight():
    assert "none of them" in COREML.refusals(target("arm64"), "fp32", {})[0].reason
    assert "no int8" in COREML.refusals(IOS, "int8", {})[0].reason
    model = {
        "operators": {"Conv": 1, "NonZero": 1},
        "inputs": [{"name": "x", "dtype": "float64", "shape": [1, "height"]}],
        "outputs": [{"name": "y", "dtype": "bool", "shape": [1]}],
    }
    told = [str(each) for each in COREML.refusals(IOS, "fp32", model)]
    assert len(told) == 4
    assert "--shape height=<size>" in told[0]
    assert "the input x is float64" in told[1]
    assert "the output y is bool" in told[2]
    assert "NonZero" in told[3]
