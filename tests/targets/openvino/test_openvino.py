"""OpenVINO: artefacts run where they say and in the floats they say, agree with the model, and are always the same."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import dlpipe.targets.openvino as room
from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.targets import KIT
from dlpipe.targets.openvino import hardware
from dlpipe.targets.registry import backend, target

OPENVINO = backend("openvino")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")


@native
@pytest.mark.parametrize("name", ["branches", "lstm", "free", "faces"])
def test_native(work, models, name):
    outputs, value = work.ran(OPENVINO, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["devices"], value["computed_in"]) == ("native", ["CPU"], "f32")


@pytest.mark.slow
def test_arm64_under_emulation(work, models):
    outputs, value = work.ran(OPENVINO, target("arm64"), models("lstm"))
    assert models("lstm").worst(outputs) <= 1e-5
    assert (value["machine"], value["computed_in"]) == ("aarch64", "f32")


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() == "aarch64", reason="not run: needs an emulated processor")
def test_fp16_arithmetic_really_executes_where_the_processor_has_it(work, models):
    outputs, value = work.ran(OPENVINO, target("arm64-cortex-a76"), models("faces"), "fp16")
    assert value["computed_in"] == "f16"
    assert 1e-5 < models("faces").worst(outputs) < 0.05


@native
def test_fp16_halves_the_weights_and_computes_in_fp32(work, models):
    whole, half = (work.built(OPENVINO, target("x86-64"), models("faces"), variant) for variant in ("fp32", "fp16"))
    assert any("saves size" in note for note in work.notes)
    assert (half / "model.bin").stat().st_size < 0.6 * (whole / "model.bin").stat().st_size
    outputs, value = work(OPENVINO.run_call(target("x86-64"), "fp16"), _inputs(half, models("faces")))
    assert value["computed_in"] == "f32"
    assert 1e-6 < models("faces").worst(outputs) < 5e-3


@native
def test_bf16_is_computed_or_said_to_be_impossible(work, models):
    _, made = work(OPENVINO.compile_call(target("x86-64"), "bf16"), {"ir": models("faces").ir})
    call = OPENVINO.run_call(target("x86-64"), "bf16")
    if not hardware.computes_bf16():
        assert call is None
        assert "does not compute bf16" in made["not_executed"]
        return
    outputs, value = work.ran(OPENVINO, target("x86-64"), models("faces"), "bf16")
    assert value["computed_in"] == "bf16"
    assert 1e-3 < models("faces").worst(outputs) < 0.05


@native
def test_a_run_in_other_floats_than_asked_for_is_no_run(work, models):
    if hardware.computes_bf16():
        pytest.skip("not run: needs a processor without bf16")
    artifact = work.built(OPENVINO, target("x86-64"), models("lstm"), "bf16")
    with pytest.raises(Exception, match="does not compute bf16"):
        work(OPENVINO.run_call(target("x86-64"), "fp32"), _inputs(artifact, models("lstm")))


@native
def test_a_blob_is_what_is_run_where_the_target_asks_for_it(work, models):
    wanted = replace(target("x86-64"), options={"openvino": {"blob": True}})
    artifact = work.built(OPENVINO, wanted, models("faces"))
    assert json.loads((artifact / "run.json").read_text())["entry"] == "model.blob"
    outputs, value = work(OPENVINO.run_call(wanted, "fp32"), _inputs(artifact, models("faces")))
    assert value["computed_in"] == "f32"
    assert models("faces").worst(outputs) <= 1e-5


@pytest.mark.parametrize("name", ["lstm", "faces"])
def test_a_compile_gives_the_same_bytes_every_time(work, models, fingerprint, name):
    first, second = map(fingerprint, work.twice(OPENVINO, target("x86-64"), models(name)))
    assert first == second
    assert {"model.xml", "model.bin", "run.json", "run.py", "run.c", "LICENSES/openvino-LICENSE.txt"} <= set(first)


def test_the_sample_programs_run(work, models, toolchains, answers, tmp_path):
    model = models("branches")
    artifact, python = work.built(OPENVINO, target("x86-64"), model), toolchains.ensure("openvino").python
    with np.load(model.samples / "samples.npz") as samples:
        first = {name: samples[name][0] for name in samples.files}
    np.savez(tmp_path / "inputs.npz", **first)
    for index, name in enumerate(("a", "b")):
        first[name].tofile(tmp_path / f"input-{index}.bin")
    said = _done([python, artifact / "run.py", "inputs.npz"], tmp_path)
    assert "t (1, 8, 9, 4)" in said
    assert model.apart(answers(python, artifact, model.samples)) <= 1e-5
    if shutil.which("cc") is None:
        pytest.skip("not run: needs a C compiler")
    place = _done([python, "-c", "import openvino, os; print(os.path.dirname(openvino.__file__))"], tmp_path).strip()
    line = next(line for line in (artifact / "run.c").read_text().splitlines() if line.strip().startswith("cc run.c"))
    _done(["sh", "-c", f"OPENVINO={place} && {line.replace('run.c', str(artifact / 'run.c'))}"], tmp_path)
    _done([tmp_path / "run", artifact, "input-0.bin", "input-1.bin"], tmp_path)
    found = np.fromfile(tmp_path / "output-0.bin", np.float32)
    with np.load(model.reference) as wanted:
        np.testing.assert_allclose(found, wanted["y0"][0].reshape(-1), atol=1e-5)


def _done(command: list[object], folder: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _inputs(artifact: Path, model: object) -> dict[str, Path]:
    return {"artifact": artifact, "samples": model.samples}


@native
def test_timing_tells_a_cold_from_a_warm_load(work, models):
    artifact = work.built(OPENVINO, target("x86-64"), models("faces"))
    call = OPENVINO.timing_call(target("x86-64"), "fp32")
    _, value = work(call, _inputs(artifact, models("faces")), handle="a", warmup=1, runs=3)
    assert len(value["seconds"]) == 3
    assert value["load_seconds"] > 0 < value["warm_load_seconds"]


@pytest.mark.parametrize("name", ["intel-gpu", "intel-npu"])
def test_what_no_device_is_here_for_says_so(work, models, name):
    wanted = target(name)
    if OPENVINO.run_call(wanted, "fp16") is not None:
        pytest.skip(f"not run: there is an {name} here")
    _, value = work(OPENVINO.compile_call(wanted, "fp16"), {"ir": models("faces").ir})
    assert value["not_executed"]
    assert "/" not in value["not_executed"]


@pytest.mark.parametrize(
    ("name", "variant", "reason"),
    [("riscv64", "fp32", "no package"), ("android-arm64", "fp32", "no package"), ("intel-npu", "fp32", "no fp32")],
)
def test_targets_it_is_not_for(name, variant, reason):
    (refused,) = OPENVINO.refusals(target(name), variant, {"operators": {}, "nodes": []})
    assert reason in refused.reason


def test_preflight_names_opset_operator_and_node():
    model = {
        "opsets": {"": 99},
        "operators": {"Conv": 1, "Det": 1, "DequantizeLinear": 1},
        "nodes": [
            {"name": "volume", "op": "Det", "inputs": [], "attributes": {}},
            {
                "name": "weights",
                "op": "DequantizeLinear",
                "inputs": [{"shape": [500, 10]}],
                "attributes": {"axis": 0, "block_size": 32},
            },
        ],
    }
    found = OPENVINO.refusals(target("x86-64"), "int4", model)
    assert [(each.op, each.node) for each in found] == [
        (None, None),
        ("Det", None),
        ("DequantizeLinear", "weights"),
    ]


@pytest.mark.slow
def test_the_operator_list_is_what_the_locked_tool_says(work):
    known = json.loads(Path(room.__file__).with_name("operators.json").read_text())
    asked = {domain: [*names, "Det" if domain == "" else "Unheard"] for domain, names in known["operators"].items()}
    worker = Path(room.__file__).with_name("worker.py")
    _, said = work(Call("openvino", worker, "coverage", {"operators": asked}, libraries=(KIT,)), {})
    assert said == known


def test_a_model_it_cannot_take_is_refused_by_node(work, models, tmp_path):
    folder = tmp_path / "ir"
    folder.mkdir()
    shutil.copyfile(models("cumsum").ir / "contract.json", folder / "contract.json")
    content = (models("cumsum").ir / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(content.replace(b"CumSum", b"NotOne"))
    with pytest.raises(Unsupported, match="does not import NotOne") as refused:
        work(OPENVINO.compile_call(target("x86-64"), "fp32"), {"ir": folder})
    assert refused.value.where["op"] == "NotOne"
