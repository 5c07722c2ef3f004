"""What a walk says: which node is to blame, or that none is and their errors add up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .rows import Row

_SHOWN = 10


def conclude(rows: Mapping[str, Row], outputs: Sequence[str]) -> dict[str, Any]:
    """See `bisect_worker.walk`. rows: in the order of execution."""
    departing = _leading_to(rows, [name for name in outputs if name in rows and rows[name].departs])
    wrong = [row for row in rows.values() if row.wrong and row.value in departing]
    first = next((row for row in rows.values() if row.value in departing), None)
    upstream = _upstream(rows, departing)
    largest = sorted((row for row in rows.values() if row.value in upstream), key=_error, reverse=True)
    return {
        "verdict": "agree" if first is None else "node" if first.wrong else "accumulates",
        "first": first.as_dict() if first else None,
        "wrong": [row.as_dict() for row in wrong[:_SHOWN]],
        "wrong_count": len(wrong),
        "largest": [row.as_dict() for row in largest[:_SHOWN] if _error(row) > 0],
    }


def _leading_to(rows: Mapping[str, Row], ends: Sequence[str]) -> set[str]:
    """The departing values from which an output that departs is reached by departing values only: what departs inside
    and comes right again is no cause."""
    found: set[str] = set()
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in rows[name].parents if rows[each].departs]
    return found


def _upstream(rows: Mapping[str, Row], names: set[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += rows[name].parents
    return found


def _error(row: Row) -> float:
    """Of the node alone, relative to its range."""
    value = row.alone.get("max_rel")
    return float("inf") if row.wrong and value is None else float(value or 0.0)
