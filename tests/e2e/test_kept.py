"""What lies where a result goes is not lost."""

from __future__ import annotations

import json
from pathlib import Path

from dlpipe.ir.contract import Contract
from tests.e2e.user import User


def test_another_result_is_kept_beside_it_and_said_so(settled_user: User, shared: Path) -> None:
    model = shared / "models" / "ultraface" / "version-RFB-320.onnx"
    common = ("convert", model, "-b", "onnxruntime", "--precision", "fp32", "--out", "kept")
    out, kept = settled_user.folder / "kept", settled_user.folder / "kept.previous"
    for _ in range(2):
        assert "is kept as" not in settled_user.ok(*common, "-t", "x86-64").err
        assert not kept.exists()
    nothing = settled_user.dlpipe(*common, "-t", "x86-64", "--max-size", "1KB", "--json")
    assert (nothing.code, nothing.json["selected"]) == (3, {})
    assert "is kept as kept.previous" in nothing.err
    assert (kept / "selected" / "x86-64").exists()
    settled_user.dlpipe(*common, "-t", "x86-64", "--max-size", "1KB", "--json")
    assert (kept / "selected" / "x86-64").exists()
    assert not (out / "selected").exists()


def test_models_of_one_folder_leave_each_others_files_alone(settled_user: User, shared: Path) -> None:
    nets, folder = shared / "models" / "arm_ml_kws", settled_user.folder / "v"
    folder.mkdir()
    first = settled_user.ok("import", nets / "DNN_S.pb", "-o", "v/a.onnx", "--json").json["contract"]
    written = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert set(written) == {"a.onnx", "a.contract.json", "a.preprocess.pb"}
    assert first["preprocessing"][0]["file"] == "a.preprocess.pb"
    assert Contract.model_validate_json(written["a.contract.json"]).model_dump(mode="json") == first
    second = settled_user.ok("import", nets / "DS_CNN_S.pb", "-o", "v/b.onnx", "--json").json["contract"]
    assert second["inputs"] != first["inputs"]
    assert second["preprocessing"][0]["file"] == "b.preprocess.pb"
    settled_user.ok("optimize", nets / "DS_CNN_S.pb", "-o", "v/model.onnx")
    now = {each.name: each.read_bytes() for each in folder.iterdir()}
    assert {name: now[name] for name in written} == written
    others = {"b.onnx", "b.contract.json", "b.preprocess.pb", "model.onnx", "contract.json", "preprocess.pb"}
    assert set(now) - set(written) == others
    assert json.loads(now["contract.json"])["preprocessing"][0]["file"] == "preprocess.pb"
