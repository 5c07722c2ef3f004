"""Looks that are counted, at places that are made up."""

from __future__ import annotations

import math

import pytest

from dlpipe.measure.halving import first_departing, shortest


class Looks:
    """departs from `first` on; what is `unknown` cannot be told."""

    def __init__(self, first: int, unknown: frozenset[int] = frozenset()) -> None:
        self.first, self.unknown, self.places = first, unknown, list[int]()

    def __call__(self, place: int) -> bool | None:
        self.places.append(place)
        return None if place in self.unknown else place >= self.first


def test_log2_of_the_places() -> None:
    for first in range(300):
        looks = Looks(first)
        assert first_departing(300, looks, 100) == (first - 1, first)
        assert len(looks.places) <= math.ceil(math.log2(300))
        assert len(set(looks.places)) == len(looks.places)


def test_what_cannot_be_told_widens_the_answer() -> None:
    assert first_departing(20, Looks(10, frozenset({9, 10})), 100) == (8, 11)
    assert first_departing(5, Looks(3, frozenset(range(4))), 100) == (-1, 4)


def test_no_more_looks_than_allowed() -> None:
    looks = Looks(77)
    low, high = first_departing(300, looks, 3)
    assert len(looks.places) == 3
    assert low < 77 <= high


@pytest.mark.parametrize("end", [0, 1, 7, 40])
def test_the_shortest_stretch(end: int) -> None:
    """A stretch departs that begins at `start` or before: what does not, begins behind it."""
    for start in range(-1, end):
        looks = Looks(start + 1)
        assert shortest(end, lambda place, looks=looks: not looks(place), 100) == start
        assert len(looks.places) <= 2 * math.ceil(math.log2(end + 1)) + 1


def test_without_a_look_the_stretch_is_the_whole() -> None:
    assert shortest(40, lambda place: True, 0) == -1
