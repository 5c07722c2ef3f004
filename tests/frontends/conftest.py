"""The calls of frontends, executed by jailed workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dlpipe.toolchains.pool import WorkerPool
from tests import working


class Work(working.Work):
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
