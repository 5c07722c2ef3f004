"""What `dlpipe bench` found, as tables for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_uppercase
from typing import Any

from rich.table import Table
from rich.text import Text

from dlpipe.contracts.figure import Figure
from dlpipe.report import words
from dlpipe.report.console import PlainConsole
from dlpipe.report.footnotes import Footnotes

_COSTS = {
    "load": "load",
    "first_inference": "first",
    "cold_start": "cold start",
    "warm_start": "warm start",
    "peak_memory": "memory",
    "size": "size",
    "energy": "energy",
    "roofline": "of limit",
}  # key of a cost block -> column
_CLIENTS = "Each of those at once is a process of its own, kept to a core, with one thread and one request under way."


def render_bench(found: Mapping[str, Any], machine: str) -> None:
    """found: of `dlpipe.pipeline.bench`. Models have long names, so that each is a letter in the tables."""
    out, notes = PlainConsole(highlight=False, markup=False), Footnotes()
    letters = {name: _letter(index) for index, name in enumerate(found["timed"])}
    for name, letter in letters.items():
        baseline = " (the baseline)" if letter == "A" and len(letters) > 1 else ""
        out.print(f"{letter}  {words.plain(name)}{baseline}", overflow="fold")
    out.print()
    out.print(_latency(found["timed"], letters, notes))
    out.print()
    out.print(_costs(found["timed"], letters, notes))
    if throughput := found.get("throughput"):
        out.print()
        out.print(_throughput(throughput, letters, notes))
    notes.print(out)
    if throughput:
        out.print(f"{_CLIENTS} Cores: {', '.join(map(str, throughput['cores']))}.")
    more = ": several at once get more of a busy machine than one does"
    for each, what, so in ((found, "Latency", ""), (throughput, "Throughput", more)):
        share = each.get("others") if each else None
        if share is not None and share >= words.BUSY:
            out.print(f"{what}: {words.busy(share).replace('Other', 'other', 1)}{so}.")
    out.print(f"measured on {machine}, {found['date']}")


def _letter(index: int) -> str:
    """A to Z, then AA and on."""
    return ascii_uppercase[index] if index < len(ascii_uppercase) else _letter(index // 26 - 1) + _letter(index % 26)


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0),
        header_style="dim",
    )  # fmt: skip
    table.add_column()
    for column in columns:
        table.add_column(column, justify="right", overflow="fold")
    return table


def _latency(timed: Mapping[str, Any], letters: Mapping[str, str], notes: Footnotes) -> Table:
    table = _table("Latency of one request", "median", "95 % interval", "p95", "p99", "cv", "speed-up")
    for name, each in timed.items():
        cost = _figures(each["cost"])
        median = cost["latency_p50"]
        table.add_row(
            letters[name],
            notes.mark(words.value(median), median.reason),
            words.interval_of(median),
            *(_value(cost.get(key), notes) for key in ("latency_p95", "latency_p99")),
            _variation(cost.get("latency_cv")),
            _speedup(each, notes),
        )
    return table


def _variation(figure: Figure | None) -> str:
    """The coefficient of variation, to a whole percent."""
    if figure is None or not isinstance(figure.value, float):
        return words.NOTHING
    return f"{100 * figure.value:.0f} %"


def _speedup(timing: Mapping[str, Any], notes: Footnotes) -> Text:
    for each in timing["speedups"]:
        if each["value"] is None:
            return notes.mark(words.NOTHING, each["reason"])
        low, high = each["ci95"]
        about = "~" if each["noisy"] else ""
        shown = f"{about}{words.times(each['value'])} ({words.significant(low)}–{words.significant(high)})"
        return notes.mark(shown, each["reason"])
    return Text("baseline" if "error" not in timing else words.NOTHING)


def _costs(timed: Mapping[str, Any], letters: Mapping[str, str], notes: Footnotes) -> Table:
    found = {name: _figures(each["cost"]) for name, each in timed.items()}
    table = _table("Start, memory, size", *_COSTS.values())
    for name, cost in found.items():
        row = [_value(cost.get(key), notes) for key in _COSTS if key != "roofline"]
        limit = cost.get("roofline")
        table.add_row(letters[name], *row, notes.mark(words.value(limit), limit.reason if limit else None))
    return table


def _throughput(found: Mapping[str, Any], letters: Mapping[str, str], notes: Footnotes) -> Table:
    table = _table("Throughput", "at once", "batch", "samples/s", "95 % interval", "a request", "its p95")
    for point in found["points"]:
        cost = _figures(point["cost"])
        rate = cost["throughput"]
        noisy = rate.value is None or (rate.reason or "").startswith("too noisy")
        table.add_row(
            letters[point["model"]],
            str(point["clients"]),
            str(point["batch"]),
            notes.mark(_rate(rate.value), rate.reason if noisy else None),
            f"{_rate(rate.ci95[0])}–{_rate(rate.ci95[1])}" if rate.ci95 else "",
            *(words.value(cost.get(f"latency_p{q}")) for q in (50, 95)),
        )
    return table


def _rate(value: Any) -> str:
    return words.NOTHING if value is None else words.significant(value)


def _value(figure: Figure | None, notes: Footnotes) -> Text:
    """The reason stands below only where there is no value: the others' are said once in the documentation."""
    if figure is None:
        return Text(words.NOTHING)
    return notes.mark(words.value(figure), figure.reason if figure.value is None else None)


def _figures(cost: Mapping[str, Any]) -> dict[str, Figure]:
    return {key: Figure.model_validate(figure) for key, figure in cost.items()}
