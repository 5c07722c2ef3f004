"""A frontend of another package, installed as its users would: dlpipe finds it, sniffs with it and converts."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.user import User


@pytest.fixture(scope="session")
def installed(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    site = tmp_path_factory.mktemp("site")
    uv = Path(sys.executable).parent / "uv"
    example = repo_root / "examples" / "dlpipe-plainnet"
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target", site, example]
    subprocess.run(command, check=True, timeout=300)
    return site


def test_a_plainnet(user: User, installed: Path) -> None:
    env = {"PYTHONPATH": str(installed)}
    layer = {"name": "fc", "weights": np.eye(4).tolist(), "bias": [1.0, 2.0, 3.0, 4.0], "relu": False}
    (user.folder / "net.txt").write_text(json.dumps({"plainnet": 1, "input": 4, "layers": [layer]}))
    listed = user.ok("frontend", "list", "--json", env=env).json
    assert "plainnet" in [each["name"] for each in listed]
    found = user.ok("import", "net.txt", "-o", "net.onnx", "--json", env=env).json
    assert found["fidelity"]["passed"] is True
    assert found["reference"].startswith("numpy ")
    assert (user.folder / "net.onnx").is_file()
    layer["bias"] = [1.0]
    (user.folder / "net.txt").write_text(json.dumps({"plainnet": 1, "input": 4, "layers": [layer]}))
    refused = user.dlpipe("import", "net.txt", "-o", "bad.onnx", env=env)
    assert refused.code == 2
    assert "its weights are [4, 4], and 4 values come in" in refused.err
    assert user.dlpipe("import", "net.txt", "-o", "bad.onnx").code == 2  # without the package: no format it knows


def test_what_only_our_interpreter_has_run_is_unverified(user: User, shared: Path) -> None:
    """Kaldi cannot be installed: its nets convert, exit code 0, and nothing of them is called passed."""
    (user.folder / "final.mdl").write_bytes((shared / "made/kaldi/tdnn.txt.mdl").read_bytes())
    done = user.ok("convert", "final.mdl", "-t", "x86-64", "-b", "onnxruntime", "--yes", "--out", "out", "--json")
    report = json.loads((user.folder / "out" / "report.json").read_text())
    assert report["source"]["reference"]["kind"] == "own"
    assert {each["verdict"] for each in report["artifacts"]} <= {"unverified", "failed"}
    assert [each["verdict"] for each in report["artifacts"] if each["variant"] == "fp32"] == ["unverified"]
    assert "own reference interpreter" in done.out
    assert user.dlpipe("convert", "final.mdl", "-t", "x86-64", "-b", "onnxruntime", "--require-verified").code == 3
