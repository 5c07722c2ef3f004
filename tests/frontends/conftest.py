"""The calls of frontends, executed by jailed workers."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool


@pytest.fixture(scope="session")
def pool(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    folder = tmp_path_factory.mktemp("pool")
    (folder / "logs").mkdir()
    with WorkerPool(toolchains, folder / "workers", keep_logs=folder / "logs") as pool:
        yield pool


@dataclass
class Work:
    """Runs calls; remembers the notes of the last one."""

    pool: WorkerPool
    folder: Path
    notes: list[str] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    def __call__(self, call: Call | None, inputs: Mapping[str, Path]) -> tuple[Path, Any]:
        assert call is not None
        self.notes.clear()
        out = self.new_folder()
        return out, self.pool.run(call, inputs, out, self._listen)

    def _listen(self, event: Mapping[str, Any]) -> None:
        if event["event"] == "note":
            self.notes.append(event["message"])

    def new_folder(self) -> Path:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        return folder

    def source(self, *files: Path, **written: bytes) -> Path:
        """A folder with these files, and with files of these contents (`model_pb=` is model.pb)."""
        folder = self.new_folder()
        for file in files:
            if file.is_dir():
                shutil.copytree(file, folder, dirs_exist_ok=True)
            else:
                shutil.copy(file, folder)
        for path in (folder, *folder.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)  # the shared folder is read-only
        for name, content in written.items():
            (folder / ".".join(name.rsplit("_", 1))).write_bytes(content)
        return folder


@pytest.fixture
def work(pool: WorkerPool, tmp_path: Path) -> Work:
    return Work(pool, tmp_path)
