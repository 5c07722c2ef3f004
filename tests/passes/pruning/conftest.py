from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlpipe import passes
from dlpipe.contracts.call import Call

_WORKER = Path(__file__).parent / "surgery" / "worker.py"
_LIBRARIES = (Path(str(passes.__file__)).parent,)


@dataclass(frozen=True)
class Compared:
    """`error`: between the cut model and the whole one with zeros, relative to the range of the output. `groups`:
    (layers that make them, units). `weights`: numbers before and after."""

    error: float
    groups: list[tuple[list[str], int]]
    weights: tuple[int, int]
    frozen: dict[str, str]


@pytest.fixture(scope="session")
def cut_at_random(bench) -> Callable[..., Compared]:
    """cut_at_random(folder, entry="model.onnx", seed=0, sizes={}) -> Compared."""

    def attempt(
        folder: Path, entry: str = "model.onnx", *, seed: int = 0, sizes: dict[str, int] | None = None
    ) -> Compared:
        params: dict[str, Any] = {"entry": entry, "seed": seed, "sizes": sizes or {}}
        value, _ = bench.run(Call("core", _WORKER, "compare", params, libraries=_LIBRARIES), source=folder)
        return Compared(**value)

    return attempt
