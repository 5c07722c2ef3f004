from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

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


def test_ctrl_c_while_it_starts_ends_it_without_a_trace(tmp_path: Path) -> None:
    """A module that takes long to load stands for a slow disk."""
    (tmp_path / "typer.py").write_text("import time\nprint('here', flush=True)\ntime.sleep(600)\n")
    command = [sys.executable, "-m", "dlpipe", "--help"]
    own = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])}
    given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    given["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background ignores it
    with subprocess.Popen(command, env=own, **given) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "here\n"
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, said) == (-signal.SIGINT, ("", ""))


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
