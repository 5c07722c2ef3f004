"""The composite action, step by step as GitHub's runner would."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ci.acting import Runner, evaluate, fill

pytestmark = pytest.mark.slow
GIVEN = {
    "model": "models/net.onnx", "target": "x86-64", "data": "models/labelled.npz", "max-size": "2MB",
    "arguments": "--backend onnxruntime --precision fp32",
}  # fmt: skip


def test_accept_then_the_same_then_worse(
    tmp_path: Path, repo_root: Path, repository: Path, environment: dict[str, str], cache: Callable[[Path], object]
) -> None:
    action = repo_root / "action.yml"
    main = Runner(repository, tmp_path / "main", environment)
    cache(main.temp / "dlpipe-cache")
    first = main.act(action, {**GIVEN, "accept": "true"})
    assert first.code == 0, first.log
    assert first.ran == ["Install", "Convert", "Gate", "Reports"]
    assert "accepted as" in first.log
    assert first.summary.count("## Artefacts") == 1
    assert "all 3 gates hold" in first.summary
    assert json.loads(Path(first.outputs["sarif"]).read_text(encoding="utf-8"))["version"] == "2.1.0"
    assert Path(first.outputs["junit"]).is_file()
    assert first.uses["actions/upload-artifact@v4"]["path"] == "dlpipe-out/model"

    # The cache is what actions/cache keeps and brings to another machine, under another path.
    kept = Path(first.uses["actions/cache@v4"]["path"])
    pull = Runner(repository, tmp_path / "pull", environment)
    shutil.copytree(kept, pull.temp / "dlpipe-cache", symlinks=True)
    same = pull.act(action, GIVEN)
    assert same.code == 0, same.log
    stages = json.loads((repository / "dlpipe-out/model/report.json").read_text(encoding="utf-8"))["stages"]
    assert {each["cache"] for each in stages} == {"hit"}
    assert "accuracy-regression: 0.00 pt" in same.log

    shutil.copyfile(repository / "models" / "worse.onnx", repository / "models" / "net.onnx")
    worse = pull.act(action, GIVEN)
    assert worse.code == 3
    assert worse.ran[-1] == "Reports"  # always: they say what is wrong
    (error,) = [line for line in worse.log.splitlines() if line.startswith("::error")]
    assert "accuracy-regression" in error
    assert "became wrong and 0 right" in error
    assert "**failed** |" in worse.summary


def test_the_example_gives_only_what_the_action_takes(repo_root: Path) -> None:
    inputs = yaml.safe_load((repo_root / "action.yml").read_text(encoding="utf-8"))["inputs"]
    workflow = yaml.safe_load((repo_root / "ci/github/workflow.yml").read_text(encoding="utf-8"))
    steps: list[dict[str, Any]] = workflow["jobs"]["convert"]["steps"]
    given = next(each["with"] for each in steps if each.get("id") == "dlpipe")
    assert set(given) <= set(inputs)
    assert {name for name, each in inputs.items() if each.get("required")} <= set(given)
    assert fill(given["accept"], {"github.ref": "refs/heads/main"}) == "True"
    assert fill(given["accept"], {"github.ref": "refs/pull/1/merge"}) == "False"


def test_expressions() -> None:
    known = {"inputs.max-size": "2MB", "steps.convert.outputs.out": ""}
    assert fill("--${{ inputs.max-size }}-${{ inputs.none }}-", known) == "--2MB--"
    assert evaluate("always() && steps.convert.outputs.out != ''", known) is False
