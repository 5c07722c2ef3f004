"""A compression as one HTML file, under the same policy as the report of a conversion: no script, no network."""

from __future__ import annotations

from pathlib import PurePath

from dlpipe.report.compression import Compression
from dlpipe.report.compression_rows import final, part_line, rows
from dlpipe.report.html import template
from dlpipe.report.pareto import plot


def render_compression_html(report: Compression) -> str:
    return template("compression.html.j2").render(
        report=report,
        name=PurePath(report.model).name,
        headline=_headline(report),
        final=final(report.chosen.figures) if report.chosen is not None else [],
        rows=rows(report),
        plot=plot(report),
        part_line=part_line,
        str=str,
    )


def _headline(report: Compression) -> str:
    if report.chosen is None:
        return "Nothing that was tried keeps the limits"
    if report.chosen.number == 0:
        gain = "smaller" if report.minimised == "size" else "faster"
        return f"The model stays as it is: nothing that was tried is {gain} and keeps the limits"
    before, after = (figures.cost["size"].value for figures in (report.base, report.chosen.figures))
    assert isinstance(before, int | float)
    assert isinstance(after, int | float)
    smaller = f"{100 * (1 - after / before):.0f} % smaller" if after < before else "not smaller"
    speedup = report.chosen.figures.speedup
    faster = f", {speedup.value:.2f} times as fast" if speedup is not None and speedup.value else ""
    return f"{report.chosen.recipe}: {smaller}{faster}"
