"""The output folder: complete or not there, told before the work, and never in the place of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.errors import DiskTrouble, UserError
from dlpipe.pipeline.output import MANIFEST, check_free, output_folder


def test_a_name_as_long_as_the_disk_allows(tmp_path: Path) -> None:
    with output_folder(tmp_path / ("n" * 255)) as folder:
        (folder / MANIFEST).touch()
    assert [each.name for each in tmp_path.iterdir()] == ["n" * 255]


def test_places_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "out", tmp_path / ("n" * 256)):
        with pytest.raises(DiskTrouble):
            check_free(place)


def test_the_users_own_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    for place in (tmp_path, Path("/")):
        with pytest.raises(UserError):
            check_free(place)


def test_an_error_leaves_the_earlier_output_as_it_was(tmp_path: Path) -> None:
    with output_folder(tmp_path / "out") as folder:
        (folder / MANIFEST).write_text("first")
    with pytest.raises(ZeroDivisionError), output_folder(tmp_path / "out") as folder:
        raise ZeroDivisionError
    assert (tmp_path / "out" / MANIFEST).read_text() == "first"
    assert [each.name for each in tmp_path.iterdir()] == ["out"]
