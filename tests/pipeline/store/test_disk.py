"""A file that takes another's place: the whole of it or none."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from dlpipe.pipeline.store.disk import replace_durably


def test_it_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    file, part = tmp_path / "a.json", tmp_path / "a.new"
    part.write_text("left by one that was killed")
    for data in (b"first", b"second"):
        replace_durably(file, data, part)
        assert file.read_bytes() == data
    replace_durably(file, b"third")
    assert file.read_bytes() == b"third"
    assert list(tmp_path.iterdir()) == [file]
    assert file.stat().st_mode & 0o777 == 0o644


def test_where_the_disk_fails_the_old_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    replace_durably(file, b"old")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        replace_durably(file, b"new")
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]
