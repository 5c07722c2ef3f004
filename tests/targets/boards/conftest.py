"""An agent that runs, and what it is to compute."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dlpipe.targets.registry import backend, target
from dlpipe.toolchains.agent.client import TOKEN
from dlpipe.toolchains.agent.program import text

from .asking import SECRET, Start


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """start(python, *options) -> the address of an agent that runs until the test ends."""
    monkeypatch.setenv(TOKEN, SECRET)
    running: list[subprocess.Popen[str]] = []
    numbers = itertools.count()

    def started(*options: object, python: tuple[str, ...] = (sys.executable,), before: tuple[str, ...] = ()) -> str:
        folder = tmp_path / f"agent{next(numbers)}"
        folder.mkdir()
        (folder / "agent.py").write_text(text())
        command = [
            *before,
            *python,
            folder / "agent.py",
            "--port",
            "0",
            "--name",
            "bench",
            "--folder",
            folder,
            *options,
        ]
        errors = (folder / "errors").open("w")
        running.append(
            subprocess.Popen(
                [str(part) for part in command],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env={**os.environ, TOKEN: SECRET},
            )
        )
        errors.close()
        line = running[-1].stdout.readline()
        assert line.startswith("listening on "), (folder / "errors").read_text()
        return "http://" + line.removeprefix("listening on ").strip()

    yield started
    for process in running:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)
        process.stdout.close()


@pytest.fixture
def inputs(work: Any, models: Any, tmp_path: Path) -> Path:
    """A folder with `artifact` and `samples`."""
    artifact = work.built(backend("onnxruntime"), target("x86-64"), models("branches"))
    folder = tmp_path / "inputs"
    folder.mkdir()
    (folder / "artifact").symlink_to(artifact)
    (folder / "samples").symlink_to(models("branches").samples)
    return folder
