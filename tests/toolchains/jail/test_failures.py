"""Which line of a log a user gets to see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlpipe.toolchains.failures import telling_line


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("", None),
        ("\n \n", None),
        ("loading\nconverting\n", "converting"),
        ("ValueError: rank 5\nbye\n", "ValueError: rank 5"),
        ("x.py:3: UserWarning: invalid value\n", None),
        (
            'RuntimeError: no kernel\nTraceback (most recent call last):\n  File "x.py", line 1\n',
            "RuntimeError: no kernel",
        ),
        ("fatal: bad magic\n 45%|####      | 9/20 [00:01<00:02, 5.9it/s]\r", "fatal: bad magic"),
        ("\x1b[31mCheck failed: a == b\x1b[0m\n", "Check failed: a == b"),
        (
            "terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n",
            "what():  std::bad_alloc",
        ),
        (
            "2026-01-01 10:00:00.0: W tensorflow/x.cc:1] failed to find cuda\nunable to parse node\n",
            "unable to parse node",
        ),
    ],
)
def test_the_line_that_tells(log, line):
    assert telling_line(log) == line


@given(st.text(max_size=2000))
def test_whatever_a_tool_says_the_line_is_short_and_printable(log):
    line = telling_line(log)
    assert line is None or (line.isprintable() and 0 < len(line) <= 300)
