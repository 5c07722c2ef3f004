"""`dlpipe select` at the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.report.test_ranking import made, report


def select(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "dlpipe"), "select", "run.json", *args]
    surroundings = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80", "DLPIPE_CACHE_DIR": str(folder / "cache")}
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )


def test_weights_decide(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(
        report(made("tvm", 2.0, 100), made("ncnn", 1.0, 400)).to_json(), encoding="utf-8"
    )
    (tmp_path / "weights.toml").write_text('"performance.resources.storage" = 1\n', encoding="utf-8")
    fast = json.loads(select(tmp_path, "-w", "latency-p50=1", "--json").stdout)
    assert [each["backend"] for each in fast[0]["ranking"]] == ["ncnn", "tvm"]
    small = json.loads(select(tmp_path, "-w", "weights.toml", "--json").stdout)
    assert [each["backend"] for each in small[0]["ranking"]] == ["tvm", "ncnn"]
    cell = small[0]["ranking"][0]["indicators"]["performance.resources.storage"]
    assert (cell["value"], cell["provenance"]) == (100, "measured")


def test_the_page_and_the_languages(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(
        report(made("tvm", 2.0, 100), made("ncnn", 1.0, 400)).to_json(), encoding="utf-8"
    )
    done = select(tmp_path, "--html", "new/page.html", "--lang", "zh")
    assert done.returncode == 0
    assert "时延" in done.stdout
    assert '<html lang="zh">' in (tmp_path / "new" / "page.html").read_text(encoding="utf-8")


def test_what_is_wrong_with_weights_is_said(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(report(made("tvm", 2.0, 100)).to_json(), encoding="utf-8")
    for weights, said in (
        ("speed=1", "latency-p50"),
        ("latency-p50=fast", "not a number"),
        ("none.toml", "No such file"),
    ):
        done = select(tmp_path, "-w", weights)
        assert (done.returncode, said in done.stderr) == (2, True), done.stderr
