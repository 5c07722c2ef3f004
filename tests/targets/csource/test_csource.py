"""C for microcontrollers: compiled for a Cortex-M, executed under QEMU, compared with ONNX Runtime."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from dlpipe.errors import Unsupported
from dlpipe.targets.registry import backend, target

C = backend("c-source")
M4 = target("cortex-m4")
ROUNDING = 0.02  # of the range: an 8-bit step or two
NAMES = [
    "all_windows",
    "all_elements",
    "all_moves",
    "all_sizes",
    "flattened",
    "matmul_turned",
    "embedded",
    "lstm_forward",
]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_under_emulation(work, tflite_models, name):
    model = tflite_models[name]
    outputs, value = work.ran(C, M4, model)
    assert model.worst(outputs) <= 3e-6
    assert (value["ran_on"], value["machine"], value["samples"]) == ("qemu-arm", "cortex-m4", 3)


@pytest.mark.parametrize(("name", "levels"), [("cortex-m4", "uint8"), ("cortex-m7", "int8"), ("cortex-m55", "int8")])
def test_in_8_bits(work, tflite_models, name, levels):
    """The M55 has vectors of 8-bit numbers, which the compiler uses by itself."""
    model = tflite_models[f"integers_{levels}"]
    outputs, value = work.ran(C, target(name), model, "int8")
    assert model.worst(outputs) <= ROUNDING
    assert value["machine"] == name


def test_flash_and_ram_are_read_from_what_was_compiled(work, tflite_models):
    artifact, value = work(C.compile_call(M4, "int8"), {"ir": tflite_models["integers_int8"].ir})
    figures = value["estimates"]
    assert figures["flash_used"]["provenance"] == figures["ram_used"]["provenance"] == "measured"
    weights = 6 * 3 * 3 * 3 + 6 * 3 * 3 + 10 * 12
    assert weights < figures["flash_used"]["value"] < 20_000
    widest = 2 * 8 * 9 * 6  # two maps of six channels, needed at once
    assert widest <= figures["ram_used"]["value"] < 4 * widest
    operators = json.loads((artifact / "run.json").read_text())["operators"]
    assert set(operators) == {"int8"}


@pytest.mark.skipif(shutil.which("cc") is None, reason="not run: this machine has no C compiler")
def test_a_program_that_calls_it_compiles_and_runs(work, tflite_models, tmp_path):
    """As a user would, with any C compiler."""
    artifact = work.built(C, M4, tflite_models["flattened"])
    shutil.copytree(artifact, tmp_path / "model")
    command = ["cc", "-std=c99", "-O1", "-Wall", "-Werror", "run.c", "model.c", "-o", "run", "-lm"]
    subprocess.run(command, cwd=tmp_path / "model", check=True, timeout=300)
    done = subprocess.run(["./run"], cwd=tmp_path / "model", capture_output=True, text=True, check=True, timeout=60)
    assert len(done.stdout.split()) == 6
    assert np.isfinite(np.array(done.stdout.split(), float)).all()


def test_a_compile_gives_the_same_bytes_every_time(work, tflite_models, fingerprint):
    first, second = map(fingerprint, work.twice(C, M4, tflite_models["integers_int8"], "int8"))
    assert first == second
    assert set(first) == {"model.c", "model.h", "run.c", "run.json", "LICENSES/dlpipe.txt"}


def test_what_does_not_fit_is_refused(work, tflite_models):
    call = replace(C.compile_call(M4, "fp32"), params={**C.compile_call(M4, "fp32").params, "ram": 100})
    with pytest.raises(Unsupported, match=r"bytes of RAM, and cortex-m4 has 100") as refused:
        work(call, {"ir": tflite_models["flattened"].ir})
    assert "int8" in refused.value.hint


def test_an_operator_without_c_is_named(work, tflite_models):
    with pytest.raises(Unsupported, match="TOPK_V2"):
        work.built(C, M4, tflite_models["top"])


def test_preflight():
    assert "is none" in C.refusals(target("x86-64"), "fp32", {})[0].reason
    assert "no fp16" in C.refusals(M4, "fp16", {})[0].reason
    (refused,) = C.refusals(M4, "fp32", {"parameters": 1_000_000, "operators": {}})
    assert "4,000,000 bytes" in refused.reason
    assert refused.hint == "--precision int8"
    assert [each.op for each in C.refusals(M4, "int8", {"operators": {"NonZero": 1}})] == ["NonZero"]
