"""Neighbours whose figures read the same, told once: so that the eye finds what differs."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")


def alike(items: Iterable[T], figures: Callable[[T], Hashable]) -> list[list[T]]:
    """Runs of consecutive items that have the same figures."""
    return [list(run) for _, run in groupby(items, figures)]


def label(names: Sequence[str]) -> str:
    """One name for a run: the name, both of two, else the first and the last. Words that a name shares with the
    first one's beginning are not said again."""
    first, last = names[0], names[-1]
    if len(names) == 1:
        return first
    return f"{first}{', ' if len(names) == 2 else ' … '}{_without(last, first)}"


def _without(name: str, first: str) -> str:
    words, said = name.split(" "), first.split(" ")
    while len(words) > 1 and said and words[0] == said[0]:
        words, said = words[1:], said[1:]
    return " ".join(words)


def members(names: Sequence[str]) -> str:
    """All names of a run that its label leaves out some of, else nothing."""
    return ", ".join(names) if len(names) > 2 else ""
