"""LiteRT: the .tflite files that dlpipe writes itself compute what ONNX Runtime computes, operator by operator."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from dataclasses import replace

import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target
from dlpipe.targets.tflite.accepting import OPERATORS

LITERT = backend("litert")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")
ROUNDING = 0.02  # of the range: kernels that round a sum once more move an output by a step or two of 256


@native
def test_every_operator_computes_what_onnx_runtime_does(work, tflite_models):
    wrong = {}
    for name, model in tflite_models.items():
        outputs, value = work.ran(LITERT, target("x86-64"), model)
        worst = model.worst(outputs)
        if worst > (ROUNDING if name.startswith("integers") else 1e-6):
            wrong[name] = worst
        assert (value["ran_on"], value["machine"]) == ("native", "x86_64")
    assert wrong == {}
    assert len(tflite_models) > 100


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "faces", "half"])
def test_native(work, models, name):
    outputs, value = work.ran(LITERT, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= (1e-3 if name == "half" else 3e-6)
    assert value["xnnpack"].split()[0] > "0"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "allowed"), [("branches", 3e-6), ("integers", ROUNDING)])
def test_arm64_under_emulation(work, models, tflite_models, name, allowed):
    model = models(name) if name == "branches" else tflite_models["integers_int8"]
    outputs, value = work.ran(LITERT, target("arm64"), model)
    assert model.worst(outputs) <= allowed
    assert value["machine"] == "aarch64"


@pytest.mark.slow
def test_armv7_under_emulation(work, models):
    """By the last package that there was for it, which is older than the one that wrote the artefact."""
    outputs, value = work.ran(LITERT, target("armv7"), models("branches"))
    assert models("branches").worst(outputs) <= 1e-5
    assert (value["machine"], value["tool"]) == ("armv7l", "tflite-runtime 2.14.0")


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_the_quantised_model_is_the_one_that_was_measured(work, tflite_models, kind):
    """Layers in the very levels of the ONNX model: nothing is calibrated again, and nothing but what has no level
    there is in float."""
    artifact = work.built(LITERT, target("x86-64"), tflite_models[f"integers_{kind}"], "int8")
    operators = json.loads((artifact / "run.json").read_text())["operators"]
    layers = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONCATENATION", "MEAN", "ADD", "MAX_POOL_2D"}
    assert layers <= set(operators["int8"])
    assert operators["float32"] == ["DEQUANTIZE", "SOFTMAX"]


def test_fp16_halves_the_weights(work, models):
    sizes = {}
    for variant in ("fp32", "fp16"):
        artifact = work.built(LITERT, target("arm64"), models("faces"), variant)
        sizes[variant] = (artifact / "model.tflite").stat().st_size
    assert sizes["fp16"] < 0.6 * sizes["fp32"]
    assert LITERT.ir_variant("fp16") == "fp32"


@native
def test_fp16_weights_compute(work, models):
    assert 1e-6 < models("faces").worst(work.ran(LITERT, target("x86-64"), models("faces"), "fp16")[0]) < 0.02


@pytest.mark.parametrize("variant", ["fp32", "fp16"])
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint, variant):
    first, second = map(fingerprint, work.twice(LITERT, target("arm64"), models("faces"), variant))
    assert first == second
    assert {"model.tflite", "run.json", "run.py", "run.c"} < set(first)
    assert any(name.startswith("LICENSES/") for name in first)


@native
@pytest.mark.skipif(shutil.which("cc") is None, reason="not run: this machine has no C compiler")
def test_the_sample_program_in_c_compiles_and_runs(work, tflite_models, toolchains, tmp_path):
    artifact = work.built(LITERT, target("x86-64"), tflite_models["flattened"])
    (library,) = toolchains.ensure("tflite").root.rglob("libLiteRt.so")
    program, linked = tmp_path / "run", f"-Wl,-rpath,{library.parent}"
    subprocess.run(
        ["cc", "-Wall", "-Werror", artifact / "run.c", library, linked, "-o", program], check=True, timeout=120
    )
    done = subprocess.run([program, artifact / "model.tflite"], capture_output=True, text=True, check=True, timeout=120)
    assert "input x: 864 bytes" in done.stdout  # 1x3x8x9 floats
    assert "output y: 24 bytes" in done.stdout


def test_a_free_dim_is_refused_with_the_option_that_settles_it(work, models):
    with pytest.raises(Unsupported, match="free dim height") as refused:
        work.built(LITERT, target("arm64"), models("free"))
    assert refused.value.hint == "--shape height=<size>"


def test_preflight():
    model = {"operators": {"Conv": 3, "Einsum": 1}, "nodes": [{"op": "Einsum", "name": "mix"}]}
    (refused,) = LITERT.refusals(target("arm64"), "fp32", model)
    assert refused.op == "Einsum"
    assert "int4" in LITERT.refusals(target("arm64"), "int4", model)[0].reason
    assert [step.name for step in LITERT.lowering({"operators": {"Scan": 1}})] == ["unroll", "fold-constants"]


def test_what_preflight_knows_is_what_is_lowered(work):
    call = replace(LITERT.compile_call(target("arm64"), "fp32"), operation="coverage", params={})
    _, value = work(call, {})
    assert json.loads(OPERATORS.read_text()) == value
