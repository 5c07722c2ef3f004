from __future__ import annotations

import subprocess
import sys

from dlpipe.cli.main import COMMANDS

HEAVY = {"numpy", "pydantic", "sqlalchemy", "rich", "jinja2", "onnx", "uv", "dlpipe.pipeline", "dlpipe.toolchains"}


def test_help_imports_nothing_heavy() -> None:
    """`dlpipe --help` in a quarter of a second: what makes it slow is an import (benchmarks/startup.py times it)."""
    code = (
        "import sys; sys.argv = ['dlpipe', '--help']\n"
        "from dlpipe.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "print('MODULES', *sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    text, _, modules = done.stdout.partition("MODULES")
    assert HEAVY.isdisjoint(modules.split())
    for command in COMMANDS:
        assert f"  {command}" in text


def test_every_command_has_help_with_an_example_or_a_sentence() -> None:
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", "dlpipe", command, "--help"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        assert "Usage:" in done.stdout
        assert max(map(len, done.stdout.splitlines())) <= 100
