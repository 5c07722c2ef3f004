"""The part of docs/passes.md on passes that keep the outputs: what each does over all models, and what it costs."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from typing import Any

from .words import BACKENDS, table

_SAID = """\
Each pass alone on the import as it is, and `standard passes`, the chain that every recipe starts from. *Nodes*: in all
models that it changed, before and after. *Lost*: the most points on any of them (0.00: no answer that matters moved).
*Faster*: median over these models of the ratio to the import, and its least and greatest value; the runtimes do most of
this for themselves: a pass pays where they do not. *Seconds*: the longest run."""


def section(records: Mapping[str, Any]) -> str:
    names = dict.fromkeys(
        name for record in records.values() for name, row in record["candidates"].items() if row["group"] == "exact"
    )
    if not names:
        return ""
    head = ("pass", "models", "nodes", "lost", "seconds", *(f"faster, {title}" for title in BACKENDS.values()))
    return "\n".join(["## Exact passes", "", _SAID, "", *table(head, [_line(name, records) for name in names])])


def _line(name: str, records: Mapping[str, Any]) -> tuple[str, ...]:
    tried = [record["candidates"] for record in records.values() if name in record["candidates"]]
    changed = [each for each in tried if each[name].get("backends")]
    rows = [each[name] for each in changed]
    if not rows:
        return name, f"0 of {len(tried)}", *["-"] * (3 + len(BACKENDS))
    before, after = sum(each["fp32"]["nodes"] for each in changed), sum(row["nodes"] for row in rows)
    lost = [value for backend in BACKENDS for value in _figures(rows, backend, "lost")]
    seconds = f"{max(row['seconds'] for row in rows):.1f}"
    return (
        name,
        f"{len(rows)} of {len(tried)}",
        f"{before} to {after}",
        f"{max(lost, key=abs):.2f}" if lost else "-",
        seconds,
        *(_spread(_figures(rows, backend, "faster")) for backend in BACKENDS),
    )


def _figures(rows: Iterable[Mapping[str, Any]], backend: str, key: str) -> list[float]:
    return [row["backends"][backend][key]["value"] for row in rows if key in row["backends"].get(backend, {})]


def _spread(values: list[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})" if values else "-"
