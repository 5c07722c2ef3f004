"""Find a Python interpreter of a given version on the machine, or have uv fetch one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.install.run import run_uv, uv_command
from dlpipe.toolchains.settings import uv_environment

UV_FETCHES_FROM = (3, 8)  # older ones are on no server that uv knows


def find_interpreter(version: str, say: Callable[[str], None]) -> Path:
    """The interpreter for "3.N": one that uv finds, one of pyenv, or one that uv fetches now.

    Raises ToolMissing that says how to get one.
    """
    if found := on_this_machine(version):
        return found
    why = ""
    if as_tuple(version) >= UV_FETCHES_FROM:
        say(f"fetching Python {version}")
        try:
            run_uv(["python", "install", "--no-bin", version], what="it cannot be fetched", say=say)
        except ToolMissing as error:
            why = f"; {error.message}"
        if found := on_this_machine(version):
            return found
    raise ToolMissing(
        f"Python {version} is needed and is not on this machine{why}",
        hint=f"install it, for example with pyenv: pyenv install {version}",
        python=version,
    )


def on_this_machine(version: str) -> Path | None:
    """Looks as uv does (PATH, uv's own ones), then in pyenv's folder, newest patch release first."""
    for candidate in (*_of_uv(version), *_of_pyenv(version)):
        if _is(candidate, version):
            return candidate
    return None


def as_tuple(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdigit() else -1 for part in version.split("."))


def _of_uv(version: str) -> Iterator[Path]:
    # --system: the virtual environment that dlpipe itself runs in is not for others to build on
    command = uv_command("python", "find", "--system", "--no-python-downloads", "--no-project", version)
    found = subprocess.run(command, env=uv_environment(), capture_output=True, text=True, check=False)
    if found.returncode == 0 and found.stdout.strip():
        yield Path(found.stdout.strip())


def _of_pyenv(version: str) -> Iterator[Path]:
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    folders = sorted(root.glob(f"versions/{version}.*"), key=lambda folder: as_tuple(folder.name), reverse=True)
    yield from (folder / "bin" / "python" for folder in folders)


def _is(python: Path, version: str) -> bool:
    """Whether it starts, and has what an environment is made with."""
    script = "import sys, ssl, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        found = subprocess.run([python, "-I", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0 and found.stdout.strip() == version
