"""What a worker leaves is looked at, never followed."""

from __future__ import annotations

import os

import pytest

from dlpipe.errors import StageFailed
from dlpipe.toolchains.outputs import check_outputs


def test_plain_files_and_folders_pass_and_are_summed(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "größe.bin").write_bytes(b"12345")
    (tmp_path / "x").write_bytes(b"12")
    os.link(tmp_path / "x", tmp_path / "y")  # both names are inside
    assert check_outputs(tmp_path, 1000) == 9


def test_a_hard_link_to_something_outside_is_refused(tmp_path):
    (tmp_path / "secret").write_text("secret", encoding="ascii")
    out = tmp_path / "out"
    out.mkdir()
    os.link(tmp_path / "secret", out / "mine")
    with pytest.raises(StageFailed, match="hard link"):
        check_outputs(out, 1000)


def test_links_to_folders_are_refused_and_not_followed(tmp_path):
    (tmp_path / "loop").symlink_to(tmp_path)
    with pytest.raises(StageFailed, match="symbolic link"):
        check_outputs(tmp_path, 1000)


def test_too_much_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(bytes(11))
    with pytest.raises(StageFailed, match="the limit is 10"):
        check_outputs(tmp_path, 10)
