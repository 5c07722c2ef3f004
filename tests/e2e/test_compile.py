"""`dlpipe compile`: one artefact, executed and compared, or a reason and nothing written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.e2e.user import User

FACES = "models/ultraface/version-RFB-320.onnx"


@pytest.mark.slow
def test_an_artefact_is_made_and_runs(settled_user: User, shared: Path, digits: Path) -> None:
    model = shared / "models/caffe_lenet/lenet.prototxt"
    common = ("compile", model, "-t", "x86-64", "-b", "ncnn", "--data", digits)
    found = settled_user.ok(*common, "-o", "digits", "--json").json
    made = found["artifact"]
    assert (made["verdict"], made["ran_on"], made["fidelity"]["passed"]) == ("passed", "native", True)
    said = settled_user.ok(*common, "-o", "digits").out
    assert f"top-1 {100 * made['accuracy']['value']:.2f} % of 2,000 samples, a loss of 0.00 pt" in said
    folder = settled_user.folder / "digits"
    assert {"run.json", "contract.json", "manifest.json", "run.py"} <= {each.name for each in folder.iterdir()}
    listed = json.loads((folder / "manifest.json").read_text())["files"]
    assert {"model.param", "model.bin"} <= set(listed)
    assert settled_user.ok("compare", model, "digits").code == 0
    assert "they agree" in settled_user.ok("compare", "digits", model).out  # its contract alone says what it takes
    assert "they agree" in settled_user.ok("bisect", "digits", model).out


def test_what_pre_flight_says_is_the_error(settled_user: User, shared: Path) -> None:
    done = settled_user.dlpipe("compile", shared / FACES, "-t", "riscv64", "-b", "paddle", "-o", "never")
    assert done.code == 2
    assert not (settled_user.folder / "never").exists()


def test_one_backend_and_one_precision(settled_user: User, shared: Path) -> None:
    for option in (("-b", "all"), ("-b", "ncnn", "--precision", "auto")):
        done = settled_user.dlpipe("compile", shared / FACES, "-t", "x86-64", *option, "-o", "never")
        assert (done.code, "dlpipe convert" in done.err) == (2, True)
