"""Sentences on a terminal of 80 columns, and the same in a pipe."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.cli.output import print_table
from dlpipe.cli.wrapping import fitting


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


_LINE = "    ruled out: ncnn (fp32, fp16): If: ncnn's graphs have no branches (at If_0), and none of its rewrites helps"


@pytest.fixture(autouse=True)
def _eighty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_a_long_line_hangs_below_its_indent() -> None:
    first, second = fitting(_LINE, _Terminal()).split("\n")
    assert first.startswith("    ruled out:")
    assert second.startswith("      ")
    assert not second.startswith("       ")
    assert max(len(first), len(second)) <= 80


def test_a_pipe_gets_the_line_as_it_is() -> None:
    assert fitting(_LINE, io.StringIO()) == _LINE


def test_a_path_is_not_broken() -> None:
    path = "/a" * 60
    assert path in fitting(f"accepted as {path}", _Terminal())


@given(st.lists(st.text(alphabet="ab ", max_size=200), max_size=5))
def test_no_word_is_lost(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert fitting(text, _Terminal()).split() == text.split()


def test_a_table_without_titles_begins_with_its_first_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("", ""), [("samples", 16)])
    assert capsys.readouterr().out.split("\n")[0].split() == ["samples", "16"]
