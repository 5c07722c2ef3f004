"""Operations that measure, without the jail and without a toolchain: numpy is all that their code needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from tests.serving import serving

Serve = Callable[..., dict[str, Any]]
Outputs = Callable[..., Path]


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    """outputs("name", scores=array) -> a folder with outputs.npz."""

    def make(name: str, **arrays: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        np.savez(folder / "outputs.npz", **arrays)
        return folder

    return make


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """serve(call, input=folder ...) -> the last event of the worker, one for all tests of a module."""
    with serving(tmp_path_factory.mktemp("code")) as ask:

        def request(call: Call, **inputs: Path) -> dict[str, Any]:
            assert call.toolchain == "core"
            return ask(call, inputs)[-1]

        yield request
