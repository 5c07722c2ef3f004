"""Looking for the place where something begins, with as few looks as may be. Whoever asks brings the look.

A look says True (it departs), False (it does not), or None (it cannot be told there).
"""

from __future__ import annotations

from collections.abc import Callable

Look = Callable[[int], bool | None]


def first_departing(places: int, departs: Look, most: int) -> tuple[int, int]:
    """(the last place that does not depart, or -1; the first that does), of places 0 to places - 1, of which the last
    does. What lies between the two could not be told, or would have taken more than `most` looks."""
    low, high, unknown = -1, places - 1, set[int]()
    for _ in range(most):
        left = [place for place in range(low + 1, high) if place not in unknown]
        if not left:
            break
        middle = min(left, key=lambda place: abs(2 * place - low - high))
        found = departs(middle)
        if found is None:
            unknown.add(middle)
        elif found:
            high = middle
        else:
            low = middle
    return low, high


def shortest(end: int, departs: Look, most: int) -> int:
    """The latest start of a stretch that ends behind `end` and still departs: from -1, which does, to end - 1."""
    starts, fine, step = -1, end, 1
    for _ in range(most):
        growing = starts == -1 and step <= end
        start = end - step if growing else (starts + fine) // 2
        if start == starts:
            break
        if departs(start):
            starts = start
        else:
            fine, step = start, 2 * step
    return starts
