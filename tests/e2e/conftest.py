"""Users: one with an empty store, one whose store fills up over the session."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from tests.data.keyword_clips import unpack
from tests.e2e.user import User, make_user


@pytest.fixture
def user(tmp_path: Path) -> User:
    """With an empty store."""
    return make_user(tmp_path)


@pytest.fixture(scope="session")
def settled_user(tmp_path_factory: pytest.TempPathFactory, toolchains: Toolchains) -> User:
    """With a store that fills up over the session: for what does not depend on the cache being empty."""
    del toolchains  # installed before the first command, so that no test's time is spent on it
    return make_user(tmp_path_factory.mktemp("settled"))


@pytest.fixture(scope="session")
def keyword_clips(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """280 clips of the Speech Commands data, a folder per class."""
    folder = tmp_path_factory.mktemp("clips")
    unpack(shared, folder)
    return folder
