"""Every error ends in one short block or, with --json, in JSON alone; the exit code is the contract's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUN = "from dlpipe.cli.main import run; run()"


def dlpipe(tmp_path: Path, *args: str, code: str = RUN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "DLPIPE_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)},
    )


@pytest.mark.parametrize(
    "args",
    [
        ("convert", "m.pb"),
        ("convert", "m.pb", "-t", "arm64", "--nosuch"),
        ("convert", "m.pb", "-t", "arm64", "--jobs", "0"),
        ("convert", "m.pb", "-t", "arm46"),
        ("convert", "m.pb", "-t", "arm64", "-b", "nosuch"),
        ("convert", "m.pb", "-t", "arm64", "--precision", "int4"),
        ("convert", "/nowhere/m.pb", "-t", "arm64"),
        ("convert", "m.pb", "-t", "arm64", "--max-latency", "10"),
        ("inspect", "/nowhere"),
        ("nosuch",),
    ],
    ids=lambda args: " ".join(args),
)
def test_the_users_mistakes(tmp_path: Path, args: tuple[str, ...]) -> None:
    told = dlpipe(tmp_path, *args)
    assert (told.returncode, told.stdout) == (2, "")
    assert "Traceback" not in told.stderr
    as_json = dlpipe(tmp_path, *args, "--json")
    assert as_json.returncode == 2
    assert json.loads(as_json.stdout)["exit_code"] == 2
    assert as_json.stderr == ""


@pytest.mark.parametrize(
    ("raised", "exit_code"),
    [("KeyboardInterrupt", 130), ("RuntimeError('odd')", 70), ("OSError(28, 'No space left on device')", 2)],
)
def test_what_escapes_a_command(tmp_path: Path, raised: str, exit_code: int) -> None:
    code = f"""
import dlpipe.cli.main as main
@main.app.command("fall")
def fall(json: bool = False):
    raise {raised}
main.run()"""
    told = dlpipe(tmp_path, "fall", code=code)
    assert told.returncode == exit_code
    assert told.stderr.startswith("dlpipe: ")
    assert "Traceback" not in told.stderr
    as_json = dlpipe(tmp_path, "fall", "--json", code=code)
    assert as_json.returncode == exit_code
    assert json.loads(as_json.stdout)["exit_code"] == exit_code


def test_a_reader_that_goes_away_changes_no_exit_code(tmp_path: Path) -> None:
    code = """
import dlpipe.cli.main as main
@main.app.command("talk")
def talk():
    import os, sys
    from dlpipe.cli.output import print_table
    read, write = os.pipe()
    os.dup2(write, 1), os.close(write), os.close(read)
    print_table(["n"], [[n] for n in range(10000)])
    return 3
main.run()"""
    done = dlpipe(tmp_path, "talk", code=code)
    assert (done.returncode, done.stderr) == (3, "")
