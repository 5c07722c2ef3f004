"""Sentences that fit the terminal. In a pipe or a log, where scripts look for them, a line stays one."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TextIO

WIDEST = 100  # columns: a sentence over the whole of a wide screen is hard to read


def say(text: str = "", *, to_stderr: bool = False) -> None:
    """Print lines; on a terminal, those that are longer than it is wide go on below, indented by two more."""
    stream = sys.stderr if to_stderr else sys.stdout
    stream.write(fitting(text, stream) + "\n")


def fitting(text: str, stream: TextIO) -> str:
    """As `say` prints it on this stream."""
    if not stream.isatty():
        return text
    return "\n".join(_hung(line) for line in text.split("\n"))


def wrapped(text: str, first: str = "", rest: str | None = None) -> str:
    """In lines no wider than the terminal: `first` begins the first one, `rest` all others (by default `first`).
    Words are never broken: a path can be copied from where it stands."""
    indent = first if rest is None else rest
    lines = textwrap.wrap(
        text, _width(), initial_indent=first, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) or first


def _hung(line: str) -> str:
    if len(line) <= _width():
        return line
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    return wrapped(text, indent, indent + "  ")


def _width() -> int:
    return min(WIDEST, shutil.get_terminal_size().columns)
