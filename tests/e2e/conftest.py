"""Users: one with an empty store, one whose store fills up over the session."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
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


@pytest.fixture(scope="session")
def digits(shared: Path, settled_user: User) -> Path:
    """MNIST's test set as Caffe's LeNet was trained on it: scaled to 1/256."""
    folder = shared / "models" / "mnist_t10k"
    with (
        gzip.open(folder / "t10k-images-idx3-ubyte.gz") as images,
        gzip.open(folder / "t10k-labels-idx1-ubyte.gz") as y,
    ):
        x = np.frombuffer(images.read()[16:], np.uint8).reshape(-1, 1, 28, 28).astype(np.float32) / 256
        labels = np.frombuffer(y.read()[8:], np.uint8).astype(np.int64)
    np.savez(settled_user.folder / "digits.npz", x=x, y=labels)
    return settled_user.folder / "digits.npz"
