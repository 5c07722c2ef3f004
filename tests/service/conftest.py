"""Servers of tests. Those without a worker answer and queue; nothing is converted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.e2e.user import make_user
from tests.pipeline.postgresql_server import Server, running

from .running import Service, serving


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory, toolchains: Toolchains) -> Iterator[Service]:
    """A server without a worker, which the tests of a file share: do not assert that nothing else is in it."""
    del toolchains
    folder = tmp_path_factory.mktemp("idle")
    with serving(
        make_user(folder), folder / "data", "--workers", 0, "--max-upload", "1MB", "--failures", 1e6
    ) as service:
        yield service


@pytest.fixture(scope="module")
def postgresql(repo_root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(repo_root, tmp_path_factory.mktemp("postgresql")) as started:
        yield started
