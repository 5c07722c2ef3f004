"""`dlpipe report` at the command line: what it writes where, and which runs others take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.report.factory import sample_report
from tests.report.test_compression import report as compression


def dlpipe(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "dlpipe"), *args]
    surroundings = {**os.environ, "COLUMNS": "80", "DLPIPE_CACHE_DIR": str(folder / "cache"), "FORCE_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "run.json").write_text(sample_report().to_json(), encoding="utf-8")
    (tmp_path / "small.report.json").write_text(compression().to_json(), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("run", ["run.json", "small.report.json"])
@pytest.mark.parametrize("form", ["text", "html", "json"])
def test_a_file_of_each_format_is_written_where_it_is_asked_for(folder: Path, run: str, form: str) -> None:
    done = dlpipe(folder, "report", run, "-f", form, "-o", "new/page")
    assert (done.returncode, done.stdout) == (0, "wrote new/page\n"), done.stderr
    text = (folder / "new" / "page").read_text(encoding="utf-8")
    assert len(text) > 200
    assert "\x1b[" not in text


def test_a_place_that_takes_no_file_is_no_bug_of_ours(folder: Path) -> None:
    for place in (".", "run.json/page"):
        done = dlpipe(folder, "report", "run.json", "-f", "md", "-o", place)
        assert done.returncode == 2
        assert "cannot use the report's file" in done.stderr


def test_a_compression_is_told_from_a_report_of_another_version(folder: Path) -> None:
    for command in (("gate", "small.report.json"), ("select", "small.report.json")):
        done = dlpipe(folder, *command)
        assert done.returncode == 2
        assert "small.report.json is of `dlpipe compress`" in " ".join(done.stderr.split())
