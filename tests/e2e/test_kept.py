"""What lies where a result goes is not lost."""

from __future__ import annotations

from pathlib import Path

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
