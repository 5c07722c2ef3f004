"""Values that are held in memory together, a portion at a time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")


def within(budget: int, items: Iterable[Item], size: Callable[[Item], int]) -> Iterator[list[Item]]:
    """In their order, as many at a time as the budget has room for: at least one, however large it is. `budget` and
    `size` in bytes."""
    portion: list[Item] = []
    held = 0
    for item in items:
        if portion and held + size(item) > budget:
            yield portion
            portion, held = [], 0
        portion.append(item)
        held += size(item)
    if portion:
        yield portion
