"""`dlpipe optimize`: the passes alone, proven against the original."""

from __future__ import annotations

import json
from pathlib import Path

from tests.e2e.user import User


def test_a_real_model_becomes_smaller_and_stays_equal(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "ultraface" / "version-RFB-320.onnx"
    found = settled_user.ok("optimize", model, "-o", "face.onnx", "--json").json
    assert found["fidelity"]["passed"] is True
    assert found["fidelity"]["max_rel"] < 1e-5
    assert found["nodes"][1] < found["nodes"][0]
    assert next(each["name"] for each in found["passes"]) == "simplify"
    assert found["dropped"] == {}
    assert (settled_user.folder / "face.onnx").stat().st_size == found["size_bytes"][1]
    assert (settled_user.folder / "face.contract.json").is_file()
    again = settled_user.ok("optimize", "face.onnx", "-o", "same.onnx", "--passes", "clean")
    assert "clean: no changes" in again.out


def test_passes_that_cannot_be_chosen_are_told_before_any_work(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "ultraface" / "version-RFB-320.onnx"
    for names, says in (
        ("fp16", "lossy"),
        ("clena", "did you mean clean?"),
        ("clean,clean", "twice"),
        (" ", "names none"),
    ):
        done = settled_user.dlpipe("optimize", model, "-o", "never.onnx", "--passes", names)
        assert (done.code, says in done.err) == (2, True), done.err
    assert not (settled_user.folder / "never.onnx").exists()
    assert settled_user.dlpipe("optimize", model, "-o", "missing/x.onnx").code == 2


def test_sizes_are_fixed_and_the_contract_follows(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "yunet" / "yunet_n_dynamic.onnx"
    passes = "specialise:batch=1,height=64,width=96,fold-constants,opset:version=17"
    found = settled_user.ok("optimize", model, "-o", "fixed.onnx", "--passes", passes, "--json").json
    assert found["fidelity"]["passed"] is True
    contract = json.loads((settled_user.folder / "fixed.contract.json").read_bytes())
    assert contract["inputs"][0]["shape"][2:] == [64, 96]
    assert all(isinstance(size, int) for port in contract["outputs"] for size in port["shape"])
    seen = settled_user.ok("inspect", "fixed.onnx", "--json").json
    assert seen["opset"] == 17
    done = settled_user.dlpipe("optimize", model, "-o", "never.onnx", "--passes", "specialise:depth=1")
    assert (done.code, "no free dim 'depth'" in done.err) == (2, True), done.err


def test_a_part_is_held_against_the_whole(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "ultraface" / "version-RFB-320.onnx"
    first, last = "256", "283"  # what two of its Relus make
    passes = f"extract:inputs={first},outputs={last},clean"
    found = settled_user.ok("optimize", model, "-o", "part.onnx", "--passes", passes, "--json").json
    assert found["fidelity"]["passed"] is True
    assert found["reference"] == "the whole model's values"
    contract = json.loads((settled_user.folder / "part.contract.json").read_bytes())
    assert [port["name"] for side in ("inputs", "outputs") for port in contract[side]] == [first, last]
    done = settled_user.dlpipe("optimize", model, "-o", "never.onnx", "--passes", "extract:outputs=nowhere")
    assert (done.code, "no value 'nowhere'" in done.err) == (2, True), done.err
