"""`dlpipe optimize`: the passes alone, proven against the original."""

from __future__ import annotations

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
