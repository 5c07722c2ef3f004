"""Toolchains small enough to be installed in every test."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from dlpipe.toolchains import Registry, Toolchains

LOCKS = {
    "six==1.16.0": (
        "1e61c37477a1626458e36f7b1d82aa5c9b094fa4802892072e49de9c60c4c926",
        "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
    ),
    "six==1.17.0": (
        "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
        "ff70335d468e7eb6ec65b95b99d3a2836546063f63acc5171de367e834932a81",
    ),
}

Write = Callable[..., Path]


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    return tmp_path / "definitions"


@pytest.fixture
def write(definitions: Path) -> Write:
    """write("six==1.17.0", name="tiny", **more fields) -> folder of a toolchain that holds just that package."""

    def write(pin: str = "six==1.17.0", *, name: str = "tiny", python: str = "3.11", more: str = "") -> Path:
        folder = definitions / name
        folder.mkdir(parents=True, exist_ok=True)
        top = f'name = "{name}"\nsummary = "a test"\npython = "{python}"\nrequirements = ["{pin}"]\n'
        (folder / "toolchain.toml").write_text(top + more)
        hashes = "".join(f" \\\n    --hash=sha256:{digest}" for digest in LOCKS[pin])
        (folder / "toolchain.lock").write_text(f"{pin}{hashes}\n")
        return folder

    return write


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "toolchains"


@pytest.fixture
def make(definitions: Path, cache: Path) -> Callable[..., Toolchains]:
    """make(**options) -> Toolchains that also know what `write` wrote, on a cache of their own."""

    def make(**options: object) -> Toolchains:
        options.setdefault("root", cache)
        return Toolchains(registry=Registry([definitions]), **options)

    return make


@pytest.fixture
def start(definitions: Path, cache: Path) -> Callable[..., subprocess.Popen[str]]:
    """start(script, **Popen options): another process, with `toolchains` ready in its script."""

    def start(script: str, *, root: Path = cache, **options: object) -> subprocess.Popen[str]:
        preamble = f"""
            import os, signal, sys, time
            from pathlib import Path
            from dlpipe.toolchains import Registry, Toolchains
            def say(line):
                print(line, flush=True)
            toolchains = Toolchains(Path({str(root)!r}), on_event=say, registry=Registry([Path({str(definitions)!r})]))
        """
        return subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(preamble) + textwrap.dedent(script)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            **options,
        )

    return start
