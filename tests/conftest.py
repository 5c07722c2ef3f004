"""What tests of all rooms share."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared(repo_root: Path) -> Path:
    """The folder of models and data beside the repository; the test is skipped where it is not."""
    folder = repo_root.parent / "shared"
    if not folder.is_dir():
        pytest.skip("not run: the shared folder of models is not beside the repository")
    return folder


@pytest.fixture(scope="session")
def toolchains() -> Toolchains:
    """The user's own cache: large toolchains are installed once, not once per test run."""
    return Toolchains()
