"""MXNet models imported and compared with MXNet itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.mxnet import MxnetFrontend
from tests.frontends.imported import Imported, load, worst

__all__ = ["FRONTEND", "Import", "load", "worst"]

FRONTEND = MxnetFrontend()


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(symbol file or folder, *files beside it, **options)."""

    def run(path: Path, *beside: Path, **options: Any) -> Imported:
        source = work.source(path, *beside)
        chosen = ImportOptions(**options)
        sniffed = Sniffed("mxnet/symbol", "mxnet", path.name)
        ir, _ = work(FRONTEND.import_call(sniffed, chosen), {"source": source})
        return Imported(work, FRONTEND, "mxnet 1.9.1", sniffed, chosen, source, ir, list(work.notes))

    return run
