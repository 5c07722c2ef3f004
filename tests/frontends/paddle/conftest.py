"""Paddle programs imported and compared with Paddle itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.frontend import ImportOptions, Sniffed
from dlpipe.frontends.paddle import PaddleFrontend
from tests.frontends.imported import Imported, load, worst

__all__ = ["FRONTEND", "Import", "load", "worst"]

FRONTEND = PaddleFrontend()


Import = Callable[..., Imported]


@pytest.fixture
def imported(work: Any) -> Import:
    """imported(program file, *files beside it, **options)."""

    def run(path: Path, *beside: Path, **options: Any) -> Imported:
        source = work.source(path, *beside)
        form = "paddle/json" if path.suffix == ".json" else "paddle/program"
        sniffed = Sniffed(form, "paddle", path.name)
        chosen = ImportOptions(**options)
        ir, _ = work(FRONTEND.import_call(sniffed, chosen), {"source": source})
        return Imported(work, FRONTEND, "paddle 3.", sniffed, chosen, source, ir, list(work.notes))

    return run
