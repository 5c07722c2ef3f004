"""`--config dlpipe.toml` and `dlpipe init`: flags override the file, and what is wrong in it is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.test_gate import gate
from tests.pipeline.test_judging import answers, report, shipped


def dlpipe(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "dlpipe", *args]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def test_flags_override_the_file(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(report(shipped(answers(0), size_bytes=1000)).to_json(), encoding="utf-8")
    config = tmp_path / "dlpipe.toml"
    config.write_text('[gate]\nrun = "run.json"\nmax-size = "500B"\njson = true\n', encoding="utf-8")
    broken = gate(tmp_path, "--config", "dlpipe.toml")
    assert broken.returncode == 3
    assert [each["name"] for each in json.loads(broken.stdout)["gates"] if each["passed"] is False] == ["max-size"]
    assert gate(tmp_path, "--config", "dlpipe.toml", "--max-size", "2kB").returncode == 0


def test_a_setting_that_may_be_repeated_is_one_or_a_list(tmp_path: Path) -> None:
    for target in ('"no-such-board"', '["x86-64", "no-such-board"]'):
        (tmp_path / "dlpipe.toml").write_text(f'[convert]\nmodel = "x.pb"\ntarget = {target}\n', encoding="utf-8")
        (tmp_path / "x.pb").write_bytes(b"")
        found = dlpipe(tmp_path, "plan", "--config", "dlpipe.toml")
        assert (found.returncode, "no-such-board" in found.stderr) == (2, True)


def test_plan_reads_what_convert_reads(tmp_path: Path) -> None:
    text = '[convert]\nmodel = "gone.pb"\ntarget = "x86-64"\nmax-latency = "1ms"\nmin-speedup = 1.2\n'
    (tmp_path / "dlpipe.toml").write_text(text, encoding="utf-8")
    found = dlpipe(tmp_path, "plan", "--config", "dlpipe.toml")
    assert (found.returncode, "gone.pb" in found.stderr) == (2, True)


def test_plan_takes_what_convert_takes(tmp_path: Path) -> None:
    """On the command line as in the file: the option that is wrong is named, not one that is unknown."""
    line = ("gone.pb", "-t", "x86-64", "--tune", "2min", "--max-size", "1MB", "--route", "r", "--preprocess", "rgb")
    for more, said in (((), "gone.pb"), (("--tune", "soon"), "soon"), (("--yes",), "--yes")):
        found = dlpipe(tmp_path, "plan", *line, "--output", "y", *more)
        assert (found.returncode, said in found.stderr) == (2, True), found.stderr
    convert, plan = (
        set(re.findall(r"^\s+(?:-\w, )?(--[\w-]+)", dlpipe(tmp_path, command, "--help").stdout, re.MULTILINE))
        for command in ("convert", "plan")
    )
    assert convert - plan == {"--dry-run", "--yes"} - plan
    assert plan < convert


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[convert]\ntargets = "arm64"\n', "[convert] has no setting 'targets'; did you mean 'target'?"),
        ('[converts]\ntarget = "arm64"\n', "'converts' is not one of the tables [compress], [convert], [gate]"),
        ('target = "arm64"\n', "'target' is not one of the tables"),
        ("[convert]\ndry-run = 1\n", "dry-run: expected true or false"),
        ("[convert]\nprecision = true\n", "precision: expected a text or a number"),
        ("[convert]\ntarget = [[1]]\n", "target: expected a text or a number, or a list"),
        ("[convert\n", "not a TOML file"),
        ("[convert]\njobs = " + "[" * 900 + "]" * 900, "nested too deep"),
        ("[convert]\njobs = " + "9" * 10_000, "not a TOML file"),
        ("[convert]\n" + ".".join("a" * 30_000) + " = 1", "line 2 has a key of more than 50 dots"),
        ("#" * (1 << 20) + "\n", "more than 1048576 bytes"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "dlpipe.toml").write_text(text, encoding="utf-8")
    found = dlpipe(tmp_path, "convert", "--config", "dlpipe.toml")
    assert (found.returncode, said in found.stderr) == (2, True), found.stderr


def test_no_such_file(tmp_path: Path) -> None:
    found = dlpipe(tmp_path, "convert", "--config", "dlpipe.toml")
    assert (found.returncode, "`dlpipe init` writes a file" in found.stderr) == (2, True)


def test_init_writes_every_setting_and_what_was_given(tmp_path: Path) -> None:
    model = 'a "quoted"\\.pb'
    assert dlpipe(tmp_path, "init", model, "-t", "arm64", "-t", "x86-64", "--data", "clips/").returncode == 0
    text = (tmp_path / "dlpipe.toml").read_text(encoding="utf-8")
    given = {"model": [model], "target": ["arm64", "x86-64"], "data": "clips/"}
    assert tomllib.loads(text) == {"convert": given, "compress": {}, "gate": {}}
    assert max(map(len, text.splitlines())) <= 80
    uncommented = "\n".join(line.removeprefix("#") for line in text.splitlines() if not line.startswith("# "))
    settings = tomllib.loads(uncommented.replace(text.splitlines()[1], ""))
    for command, table in settings.items():
        shown = dlpipe(tmp_path, command, "--help").stdout
        assert {f"--{key}" for key in table if f"--{key}" not in shown} <= {"--model", "--run"}
    assert {"max-latency", "tune", "recipe"} <= settings["convert"].keys()


def test_init_knows_the_targets(tmp_path: Path) -> None:
    found = dlpipe(tmp_path, "init", "-t", "x86_64")
    assert (found.returncode, "'x86_64'" in found.stderr, "x86-64" in found.stderr) == (2, True, True)
    assert not (tmp_path / "dlpipe.toml").exists()


def test_init_never_replaces_a_file_unasked(tmp_path: Path) -> None:
    (tmp_path / "dlpipe.toml").write_text("mine", encoding="utf-8")
    found = dlpipe(tmp_path, "init")
    assert (found.returncode, "--force" in found.stderr) == (2, True)
    assert (tmp_path / "dlpipe.toml").read_text(encoding="utf-8") == "mine"
    assert dlpipe(tmp_path, "init", "--force").returncode == 0
