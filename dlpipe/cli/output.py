"""How commands print: a table of plain text that fits 80 columns, or data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dlpipe.cli.wrapping import say
from dlpipe.errors import DlpipeError


def print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n")


def exit_code(error: DlpipeError | None) -> int:
    """Of a command that has a result to show all the same; what is wrong with it is said on stderr, in short."""
    if error is None:
        return 0
    say(f"dlpipe: {error.message}", to_stderr=True)
    if error.hint:
        say(f"  what to do: {error.hint}", to_stderr=True)
    return error.exit_code


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns by the width of what they hold; the last one is wrapped to the terminal. No head without words."""
    from rich.table import Table

    from dlpipe.report.console import PlainConsole

    table = Table(box=None, pad_edge=False, show_header=any(head), header_style="bold", padding=(0, 2, 0, 0))
    for index, title in enumerate(head):
        table.add_column(title, overflow="fold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*("-" if cell is None else str(cell) for cell in row))
    PlainConsole(highlight=False, markup=False).print(table)


def print_groups(groups: Mapping[str, Sequence[Sequence[str]]]) -> None:
    """Title -> rows, each on one line, cut where the terminal ends. `--json` has the whole of it."""
    from dlpipe.report.console import PlainConsole

    out = PlainConsole(highlight=False, markup=False)
    every = [row for rows in groups.values() for row in rows]
    widths = [max(map(len, column)) for column in zip(*every, strict=True)][:-1]
    for title, rows in groups.items():
        out.print(title, style="bold")
        for *cells, last in rows:
            padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
            out.print("  ".join(["", *padded, last]), overflow="ellipsis", no_wrap=True)


def human_size(size: float | None) -> str:
    """Decimal units: 14.0 MB."""
    if size is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


_KINDS = {
    "original": "",
    "independent": " (an independent implementation)",
    "own": " (dlpipe's own: not verified by another implementation)",
}


def print_verified(out: Path, found: Mapping[str, Any]) -> None:
    """What came of a model that was imported, and perhaps written in another format, and compared with the original."""
    for line in found["preprocessing"]:
        say(line)
    for name, why in found["refused_routes"].items():
        say(f"the route {name} was refused: {why}")
    for dim, size in found.get("fixed", {}).items():
        say(f"the free dim {dim} was fixed to {size}; --shape {dim}=SIZE for another")
    what = f"{found['reference']}{_KINDS[found['reference_kind']]}"
    say(f"{out}: {agreement(found['fidelity'], what)} ({found['fidelity']['samples']} samples)")


def agreement(fidelity: Mapping[str, Any], reference: str) -> str:
    """How near a model is to its reference, in words."""
    if fidelity["passed"] is None:
        return f"NOT verified against {reference}: {fidelity['reason'] or 'there is no verdict'}"
    if fidelity["max_rel"] is None:
        return f"equal to {reference} in every element"
    if fidelity["tolerance"] is not None and fidelity["max_rel"] > fidelity["tolerance"]:
        return f"equal to {reference} within {fidelity['max_abs']:.2g}: finer than its outputs are resolved"
    if fidelity["tolerance"] is None and fidelity.get("min_cosine") is not None:
        return f"near {reference}: cosine {fidelity['cosine']:.4f} (limit {fidelity['min_cosine']:g})"
    limit = f" (limit {fidelity['tolerance']:g})" if fidelity["tolerance"] is not None else ""
    return f"equal to {reference} within {fidelity['max_rel']:.2g} of the output's range{limit}"
