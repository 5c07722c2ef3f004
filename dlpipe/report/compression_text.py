"""A compression as text for a terminal."""

from __future__ import annotations

from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from dlpipe.report import words
from dlpipe.report.compression import Compression
from dlpipe.report.compression_rows import COLUMNS, final, part_line, rows
from dlpipe.report.console import PlainConsole

_WIDE = 100  # below it: settings in lines of their own, and what the page and --json have too is left out
_LEFT_OUT = ("p", "MACs")
_STYLES = {"meets": "green", "no-gain": "yellow", "breaks": "red", "failed": "dim", "": ""}


def render_compression(report: Compression, *, color: bool = True, console: Console | None = None) -> None:
    """What was tried, what was chosen, and on which data either was said."""
    out = console or PlainConsole(no_color=not color, highlight=False)
    out.print()
    for part in report.parts:
        out.print(Text(part_line(part), style="dim"))
    table = Table(box=None, padding=(0, 1, 0, 0))
    wide = out.width >= _WIDE
    shown = [name for name in COLUMNS if wide or name not in _LEFT_OUT]
    for name in ("", "recipe", *shown, "verdict"):
        side: JustifyMethod = "left" if name in ("recipe", "verdict") else "right"
        table.add_column(name, overflow="fold", justify=side, header_style="dim")
    said = []
    for row in rows(report):
        figures = [figure for name, figure in zip(COLUMNS, row.figures, strict=True) if name in shown]
        name, _, passes = row.chain.partition(": ")
        table.add_row(row.number, row.chain if wide else name, *figures, Text(row.verdict, style=_STYLES[row.state]))
        lines = row.said if wide or passes in ("", name) else (passes, *row.said)
        said += [f"[{row.number.removeprefix('* ')}] {text}" for text in lines]
    out.print(table)
    said += [f"ended: {report.ended}"] if report.ended else []
    for text in (*said, *report.undone, *report.notes):
        out.print(Text(words.plain(text), style="dim"))
    if report.chosen is not None:
        out.print()
        out.print(Text(f"{words.plain(report.chosen.recipe)}: {words.plain(report.chosen.reason)}", style="bold"))
        for line in final(report.chosen.figures):
            out.print(Text(f"  {line}"))
