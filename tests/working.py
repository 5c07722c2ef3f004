"""Calls executed by jailed workers, as tests of rooms make them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.toolchains.pool import WorkerPool


class Work:
    """work(call, {input: folder}) -> (output folder, value). `notes`: those of the last call."""

    def __init__(self, pool: WorkerPool, folder: Path) -> None:
        self.pool = pool
        self.folder = folder
        self.notes: list[str] = []
        self._numbers = itertools.count()

    def __call__(self, call: Call | None, inputs: Mapping[str, Path], **params: Any) -> tuple[Path, Any]:
        """params: in place of the call's own."""
        assert call is not None
        self.notes.clear()
        out = self.new_folder()
        return out, self.pool.run(replace(call, params={**call.params, **params}), inputs, out, self._listen)

    def new_folder(self) -> Path:
        folder = self.folder / str(next(self._numbers))
        folder.mkdir()
        return folder

    def _listen(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "note":
            self.notes.append(event["message"])
