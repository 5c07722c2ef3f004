"""The order in which functions are computed, and which of them form a recurrence."""

from __future__ import annotations

from collections.abc import Callable, Iterable


def components(roots: Iterable[str], needs: Callable[[str], list[str]]) -> list[list[str]]:
    """Strongly connected components of what the roots need, each after those that it needs (Tarjan 1972).

    Not recursive: a model may be deep. A component of several, or of one that needs itself, is a recurrence.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    held: list[str] = []
    on_stack: set[str] = set()
    found: list[list[str]] = []
    for root in roots:
        if root in index:
            continue
        work = [(root, iter(needs(root)))]
        index[root] = low[root] = len(index)
        held.append(root)
        on_stack.add(root)
        while work:
            node, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    above = work[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == index[node]:
                    at = len(held) - 1
                    while held[at] != node:
                        at -= 1
                    found.append(held[at:])
                    on_stack.difference_update(held[at:])
                    del held[at:]
            elif following not in index:
                index[following] = low[following] = len(index)
                held.append(following)
                on_stack.add(following)
                work.append((following, iter(needs(following))))
            elif following in on_stack:
                low[node] = min(low[node], index[following])
    return found
