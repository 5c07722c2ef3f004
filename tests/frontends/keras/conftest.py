"""Keras files imported, and compared with what Keras itself says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.keras import KerasFrontend
from tests.frontends.imported import Imported, load

__all__ = ["FRONTEND", "Import", "load"]

FRONTEND = KerasFrontend()
FORMATS = {".keras": "keras/zip", ".json": "keras/json", ".yaml": "keras/json"}


@dataclass
class KerasImported(Imported):
    """A Keras model in the IR: Keras is of several versions and names."""

    def seconds(self, samples: Path) -> list[float]:
        call = self.frontend.timing_call(self.sniffed, self.options)
        call = type(call)(**{**_fields(call), "params": {**call.params, "handle": "x", "runs": 2}})
        _, value = self.work(call, self.given(samples))
        return list(value["seconds"])

    def worst(self, samples: Path | None = None) -> float:
        return super().worst(samples or self.samples(self.random_inputs()))


Import = Callable[..., KerasImported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(path, files beside it..., options of the import)."""

    def run(path: Path, *beside: Path, version: str | None = None, **options: Any) -> KerasImported:
        source = work.source(path, *beside)
        sniffed = Sniffed(FORMATS.get(path.suffix, "keras/hdf5"), "keras", path.name, version=version)
        settled = ImportOptions(**options)
        ir, _ = work(FRONTEND.import_call(sniffed, settled), {"source": source})
        return KerasImported(work, FRONTEND, ("keras ", "tf_keras "), sniffed, settled, source, ir, list(work.notes))

    return run


def _fields(call: Any) -> dict[str, Any]:
    return {name: getattr(call, name) for name in call.__slots__}
