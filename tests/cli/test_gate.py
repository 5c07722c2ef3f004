"""`dlpipe gate` as a CI system starts it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import xmlschema

from tests.pipeline.test_judging import answers, report, shipped

JUNIT = Path(__file__).parents[1] / "report" / "schemas" / "junit-10.xsd"


def gate(folder: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "dlpipe"), "gate", *args]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GITHUB_")}
    surroundings = {**clean, "DLPIPE_CACHE_DIR": str(folder / "cache"), "NO_COLOR": "1", **env}
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )


def test_accepting_then_regressing(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(report(shipped(answers(100))).to_json(), encoding="utf-8")
    bad.write_text(report(shipped(answers(120))).to_json(), encoding="utf-8")

    first = gate(tmp_path, "good.json", "--accept")
    assert (first.returncode, "accepted as" in first.stdout) == (0, True)
    assert "this run is now the baseline, the first of this model" in first.stdout
    assert "no run of this model was accepted yet" not in first.stdout
    again = gate(tmp_path, "good.json", "--accept").stdout
    assert "held against run" in again
    assert "this run is now the baseline" in again
    assert gate(tmp_path, "good.json").returncode == 0

    page = tmp_path / "summary.md"
    worse = gate(
        tmp_path, "bad.json", "--junit", "new/gates.xml", GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=str(page)
    )  # fmt: skip
    assert worse.returncode == 3
    assert "BROKEN  accuracy-regression" in worse.stdout
    (error,) = [line for line in worse.stdout.splitlines() if line.startswith("::")]
    assert error.startswith(
        "::error title=dlpipe accuracy-regression::artifacts/arm64/onnxruntime-int8: 1.00 pt, limit"
    )
    text = page.read_text(encoding="utf-8")
    assert text.startswith("### dlpipe: DS\\_CNN\\_S.pb: 1 of ")
    assert "| accuracy-regression | artifacts/arm64/onnxruntime-int8 | **failed** |" in text
    xmlschema.validate(str(tmp_path / "new" / "gates.xml"), str(JUNIT))
    assert 'failures="1"' in (tmp_path / "new" / "gates.xml").read_text(encoding="utf-8")

    assert gate(tmp_path, "bad.json", "--accept").returncode == 0
    assert gate(tmp_path, "bad.json").returncode == 0


def test_as_data_and_against_a_named_file(tmp_path: Path) -> None:
    run = tmp_path / "run.json"
    run.write_text(report(shipped(answers(0), size_bytes=1000)).to_json(), encoding="utf-8")
    assert gate(tmp_path, "run.json", "--baseline", "kept/accepted.json").returncode == 2
    assert gate(tmp_path, "run.json", "--baseline", "kept/accepted.json", "--accept").returncode == 0
    done = gate(tmp_path, "run.json", "--baseline", "kept/accepted.json", "--max-size", "1B", "--json")
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert found["baseline"] == found["run"]
    assert [each["name"] for each in found["gates"] if each["broken"]] == ["max-size"]
