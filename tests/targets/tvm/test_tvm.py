"""TVM: artefacts that need no Python, run by their own program, agree with ONNX Runtime."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import dlpipe.targets.tvm as room
from dlpipe.contracts.backend import Backend
from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError, StageFailed, Unsupported
from dlpipe.targets.registry import backend, target
from dlpipe.toolchains.pool import WorkerPool

TVM = backend("tvm")
native = pytest.mark.skipif(platform.machine() != "x86_64", reason="not run: needs an x86-64 machine")
pytestmark = pytest.mark.slow


def compare(outputs: Path, reference: Path) -> dict[str, float]:
    """Output name -> largest difference. Names, shapes and element types must be equal."""
    with np.load(outputs / "outputs.npz") as found, np.load(reference) as wanted:
        assert found.files == wanted.files
        for name in wanted.files:
            assert (found[name].shape, found[name].dtype) == (wanted[name].shape, wanted[name].dtype)
        return {n: float(np.abs(found[n].astype(float) - wanted[n].astype(float)).max()) for n in wanted.files}


def test_it_is_a_backend():
    assert isinstance(TVM, Backend)


@native
@pytest.mark.parametrize("name", ["branches", "free", "faces"])
def test_native(work, models, name):
    outputs, value = work.ran(TVM, target("x86-64"), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert (value["ran_on"], value["samples"]) == ("native", 3)


@pytest.mark.parametrize(
    ("name", "processor"), [("branches", "arm64"), ("branches", "arm64-cortex-a53"), ("faces", "arm64")]
)
def test_arm64_by_its_own_program(work, models, name, processor):
    outputs, value = work.ran(TVM, target(processor), models(name))
    assert models(name).worst(outputs) <= 1e-5
    assert value["ran_on"] == ("native" if platform.machine() == "aarch64" else "qemu-aarch64")
    assert value["samples"] == 3


@pytest.mark.parametrize("processor", ["arm64", pytest.param("x86-64", marks=native)])
def test_element_types_scalars_and_several_ports(work, made, processor):
    outputs, _ = work.ran(TVM, target(processor), made("kinds"))
    worst = compare(outputs, made("kinds").reference)
    assert worst.pop("total") <= 1e-5
    assert worst.pop("square") <= 2e-3
    assert set(worst.values()) == {0.0}


def test_int8_is_what_the_operators_say(work, made):
    artifact = work.built(TVM, target("arm64"), made("quantised"), "int8")
    assert any("int8 brings neither" in note for note in work.notes)
    inputs = {"artifact": artifact, "samples": made("quantised").samples}
    outputs, _ = work(TVM.run_call(target("arm64"), "int8"), inputs)
    (worst,) = compare(outputs, made("quantised").reference).values()
    # At a tie the order of a sum decides to which side a value rounds: at most one step of the output's scale.
    with np.load(made("quantised").reference) as reference:
        steps = np.unique(np.abs(np.diff(np.unique(reference["y"]))))
    assert worst <= float(steps[0]) * 1.001


def test_fp16_is_made_from_fp32(work, made):
    assert TVM.ir_variant("fp16") == "fp32"
    outputs, _ = work.ran(TVM, target("arm64"), made("convolutions"), "fp16")
    (worst,) = compare(outputs, made("convolutions").reference).values()
    assert 0 < worst <= 2e-2


def test_a_compile_gives_the_same_bytes_every_time(work, toolchains, models, fingerprint, tmp_path):
    first = work.built(TVM, target("arm64"), models("branches"))
    (tmp_path / "logs").mkdir()
    with WorkerPool(toolchains, tmp_path / "elsewhere", keep_logs=tmp_path / "logs") as other:
        call = TVM.compile_call(target("arm64"), "fp32")
        other.run(call, {"ir": models("branches").ir}, tmp_path / "second")
    assert fingerprint(first) == fingerprint(tmp_path / "second")
    files = {"model.so", "runner", "run.json", "lib/libtvm_ffi.so", "lib/libtvm_runtime.so"}
    assert files == {name for name in fingerprint(first) if not name.startswith("LICENSES/")}


@native
def test_the_program_says_what_is_wrong(work, made, tmp_path):
    artifact = work.built(TVM, target("x86-64"), made("convolutions"))
    (tmp_path / "in").mkdir()
    (tmp_path / "results").mkdir()

    def said(array: np.ndarray) -> str:
        np.save(tmp_path / "in/0.npy", array)
        arguments = [artifact / "runner", "model.so", tmp_path / "in", tmp_path / "results"]
        done = subprocess.run(arguments, cwd=artifact, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 1
        return done.stderr.splitlines()[-1]

    assert "float32" in said(np.zeros((1, 1, 3, 21, 19)))
    assert "main" in said(np.zeros((1, 1, 3, 20, 19), np.float32))
    assert "Fortran" in said(np.asfortranarray(np.zeros((2, 1, 3, 21, 19), np.float32)))
    assert "element type" in said(np.zeros(3, complex))
    assert list((tmp_path / "results").iterdir()) == []


@native
def test_samples_that_do_not_fit_fail_the_run(work, made):
    artifact = work.built(TVM, target("x86-64"), made("convolutions"), fresh=True)
    call = TVM.run_call(target("x86-64"), "fp32")
    with pytest.raises(DlpipeError, match="no values for input x"):
        work(call, {"artifact": artifact, "samples": made("kinds").samples})
    (artifact / "model.so").write_bytes(b"")
    with pytest.raises(StageFailed, match=r"model\.so"):
        work(call, {"artifact": artifact, "samples": made("convolutions").samples})


@native
def test_timing_notices_another_artefact(work, models):
    call = TVM.timing_call(target("x86-64"), "fp32")
    for name in ("free", "branches"):
        artifact = work.built(TVM, target("x86-64"), models(name))
        _, value = work(call, {"artifact": artifact, "samples": models(name).samples}, handle="a", warmup=1, runs=4)
        assert len(value["seconds"]) == 4
        assert all(seconds > 0 for seconds in value["seconds"])
        assert value["peak_rss"] > 1 << 20


def test_run_json_says_untuned_and_names_the_ports(work, models):
    description = json.loads((work.built(TVM, target("arm64"), models("free")) / "run.json").read_text())
    assert description["tuned"] is False
    assert description["inputs"][0]["shape"] == [1, 3, 1]  # a free dimension is 1 in compiled code
    assert any(note.startswith("untuned") for note in work.notes)


def test_refusals_name_the_node():
    model = {"operators": {"Conv": 3, "Scan": 1, "my::Op": 1}, "nodes": [{"name": "loop", "op": "Scan"}]}
    refused = TVM.refusals(target("arm64"), "fp32", model)
    assert [refusal.op for refusal in refused] == ["Scan", "my::Op"]
    assert TVM.refusals(target("x86-64"), "int8", {"operators": {"Conv": 1, "QuantizeLinear": 1}}) == []
    assert "riscv64-linux-gnu" in TVM.refusals(target("riscv64"), "fp32", {})[0].reason
    assert TVM.refusals(target("x86-64"), "fp16", {})


def test_a_loop_is_refused_by_name(work, made, models):
    for op, ir in (("Scan", made("scan").ir), ("LSTM", models("lstm").ir)):
        with pytest.raises(Unsupported, match=f"does not import {op}") as caught:
            work(TVM.compile_call(target("arm64"), "fp32"), {"ir": ir})
        assert caught.value.where["op"] == op
        assert caught.value.where["node"]


def test_the_operator_list_is_what_the_locked_tool_says(work):
    _, said = work(Call("tvm", Path(room.__file__).with_name("worker.py"), "coverage"), {})
    assert said == json.loads(Path(room.__file__).with_name("operators.json").read_text())


@pytest.mark.parametrize("zig_target", sorted(zig for zig, _ in room._PLATFORMS.values()))
def test_the_compilers_own_pieces_are_made_at_installation(toolchains, tmp_path, zig_target):
    """zig parses its own sources only where it has to build something of them."""
    environment = toolchains.ensure("tvm")
    cache = shutil.copytree(environment.root / "prepared" / "zig", tmp_path / "cache")
    source = tmp_path / "some.cc"
    source.write_text("extern int some(); int main() { return 7; }\n")
    zig = [environment.python, "-m", "ziglang", "cc", "-target", zig_target, "-s", "-Wl,--build-id=none"]
    for rest in (["-shared", "-lm", "-o", "some.so"], ["-O2", "-std=c++17", "-fno-exceptions", "-o", "some"]):
        environ = {"ZIG_GLOBAL_CACHE_DIR": str(cache), "ZIG_LOCAL_CACHE_DIR": str(cache), "HOME": str(tmp_path)}
        subprocess.run([*zig, str(source), *rest], cwd=tmp_path, env=environ, check=True)
    assert not list((cache / "z").iterdir())


@native
def test_weights_in_a_file_with_a_further_link(pool: WorkerPool, models, tmp_path):
    """As the store has them: onnx's own loader takes such a file for an attack."""
    ir = models("apart").ir
    with pool.worker("tvm") as worker:
        place = worker.place()
        (place.inputs / "ir").mkdir()
        for path in ir.iterdir():
            shutil.copyfile(path, tmp_path / path.name)
            os.link(tmp_path / path.name, place.inputs / "ir" / path.name)
        call = TVM.compile_call(target("x86-64"), "fp32")
        worker.call(call, place)
        assert any(place.out.iterdir())


def test_slices_of_old_operator_sets_are_brought_up():
    """Its frontend drops places that are attributes, and fails."""
    old, new = ({"operators": {"Slice": 1}, "opset": opset} for opset in (9, 13))
    assert [step.label for step in TVM.lowering(old)] == ["opset.13", "fold-constants"]
    assert TVM.lowering(new) == ()
