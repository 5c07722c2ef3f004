"""The live line says how far a run is, in whole words."""

from __future__ import annotations

import pytest

from dlpipe.cli.progress import fitted
from dlpipe.report.words import several

HEAD = "  12 s  3 of 9 done  "
DOING = ["compile:arm64/tvm-fp32 tuning 12 of 40", "import", "reference"]


@pytest.mark.parametrize("width", range(121))
def test_no_word_is_cut(width: int) -> None:
    line = fitted(HEAD, DOING, width)
    assert len(line) <= width
    if width > len(HEAD):
        known = {*HEAD.split(), *" ".join(DOING).split(), "|", "and", "1", "2", "more", "…"}
        assert {word.rstrip("…") or "…" for word in line.split()} <= known


def test_what_does_not_fit_is_counted() -> None:
    assert fitted(HEAD, DOING, 100) == HEAD + " | ".join(DOING)
    assert fitted(HEAD, DOING, 75) == HEAD + DOING[0] + " | and 2 more"
    assert fitted(HEAD, DOING, 60) == HEAD + "compile:arm64/tvm-fp32… | and 2 more"
    assert fitted(HEAD, [], 60) == HEAD.rstrip()


def test_a_models_names_move_no_cursor() -> None:
    assert fitted(HEAD, ["import \x1b[2J\nx"], 80) == HEAD + "import \ufffd[2J\ufffdx"


def test_one_is_no_more_than_one() -> None:
    assert [several(number, "file") for number in (0, 1, 2, 1000)] == ["0 files", "1 file", "2 files", "1,000 files"]
