"""The top of docs/passes.md: int8 by dlpipe and by the others, and where the goal is reached."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .records import machines
from .words import BACKENDS, half, named_on, points, table

_MOST_LOST = 0.3
_ALIKE = 0.95  # of the fastest's speed; `dlpipe compress` takes speeds that near for alike, too
_NOT_MADE = "not made"
_SHORT = {"onnxruntime": "ORT", "openvino": "OV"}
_GOAL = f"""\
At most {_MOST_LOST} points lost, and accuracy and speed at least equal to the best setting of the three tools, chosen
for each column apart: with the paired interval (points that dlpipe loses more) and that of the ratio (dlpipe's speed /
theirs). *equal*: the interval holds no difference."""
Rows = Mapping[str, Any]


def sections(records: Mapping[str, Any], settings: Mapping[str, Any]) -> Iterable[str]:
    if not records:
        return
    *recipes, command = settings["ours"]
    first = ", ".join(f"`{name}`" for name in _first(settings).values())
    named = " and ".join(f"`{name}`" for name in recipes)
    yield "## int8: points lost and speed-up"
    yield (
        f"The recipes {named}; what `{command}` chose by the calibration samples alone, for each backend by itself;"
        f" and of each other tool the first setting below: {first}."
    )
    for backend, title in BACKENDS.items():
        yield "\n".join([f"### On {title}", "", *_table(records, settings, backend)])
    yield "\n".join(["### The goal", "", _GOAL, *(line for ours in settings["ours"] for line in _goal(records, ours))])


def _first(settings: Mapping[str, Any]) -> dict[str, str]:
    """Tool -> its first setting, which is the one its documentation recommends."""
    first: dict[str, str] = {}
    for name, each in settings["competitors"].items():
        first.setdefault(each["of"], name)
    return first


def _table(records: Mapping[str, Any], settings: Mapping[str, Any], backend: str) -> list[str]:
    names = {name: named_on(name, backend) for name in settings["ours"]} | _first(settings)
    several = len(machines(records)) > 1
    lines = [_line(name, each, names, backend) for name, each in records.items()]
    if not several:
        return table(("model", "n", *names), lines)
    days = [f"{each['date'][:10]}, {each.get('machine', 'unknown')}" for each in records.values()]
    return table(("model", "n", *names, "measured"), [(*line, day) for line, day in zip(lines, days, strict=True)])


def _line(name: str, record: Mapping[str, Any], names: Mapping[str, str], backend: str) -> tuple[str, ...]:
    cells = []
    for candidate in names.values():
        found = record["candidates"].get(candidate, {"backends": {}})["backends"].get(backend, {})
        cells.append(f"{points(found)}, {found['faster']['value']:.2f}x" if "faster" in found else "-")
    return name, str(record["n"]), *cells


def _goal(records: Mapping[str, Any], ours: str) -> list[str]:
    """Against the best of the other tools' settings, chosen apart for accuracy and for speed."""
    rows, reached, nearly = [], 0, 0
    for name, record in records.items():
        for backend in BACKENDS:
            verdict = _verdict(record["candidates"], named_on(ours, backend), backend)
            reached += verdict.reached
            nearly += verdict.nearly
            rows.append((name, _SHORT[backend], *verdict.cells))
    missing = sum(cells[2] == _NOT_MADE for cells in rows)
    said = f"`{ours}`: all three in {reached} of {len(rows) - missing} rows"
    said += f", in {nearly} where {100 * _ALIKE:.0f} % of the fastest's speed will do"
    said += f"; {missing} were not made." if missing else "."
    head = ("model", "on", f"lost <= {_MOST_LOST}", "accuracy against the best", "speed against the fastest")
    return ["", said, "", *table(head, rows)]


class _Verdict(NamedTuple):
    """Of a row: its cells, whether all three are reached, and whether they are if being nearly as fast is enough."""

    cells: tuple[str, str, str]
    reached: bool
    nearly: bool


def _verdict(candidates: Rows, name: str, backend: str) -> _Verdict:
    ours = candidates.get(name, {"backends": {}})["backends"].get(backend, {})
    if "lost" not in ours:
        return _Verdict((_NOT_MADE, "-", "-"), reached=False, nearly=False)
    others = {
        other: row["backends"][backend]
        for other, row in candidates.items()
        if name in row["backends"].get(backend, {}).get("against", {})
    }
    reached = ours["lost"]["value"] <= _MOST_LOST
    first = f"{'yes' if reached else 'no'} ({points(ours)})"
    if not others:
        return _Verdict((first, "-", "-"), reached=False, nearly=False)
    best, fastest = (max(others, key=lambda other: rank(others[other])) for rank in (_fewest_lost, _fastest))
    lost, speed = others[best]["against"][name]["lost"], others[fastest]["against"][name]["faster"]
    reached = reached and _loses_more(lost) != "worse"
    cells = (
        first,
        f"{_loses_more(lost)}: {lost['value']:.2f}±{half(lost):.2f} ({best})",
        f"{_slower(speed)}: {speed['value']:.2f}±{half(speed):.2f} ({fastest})",
    )
    slower = _slower(speed) == "worse"
    return _Verdict(cells, reached=reached and not slower, nearly=reached and (not slower or speed["value"] >= _ALIKE))


def _fewest_lost(found: Mapping[str, Any]) -> float:
    return -float(found["lost"]["value"])


def _fastest(found: Mapping[str, Any]) -> float:
    return float(found["faster"]["value"])


def _loses_more(figure: Mapping[str, float]) -> str:
    return "worse" if figure["low"] > 0 else "better" if figure["high"] < 0 else "equal"


def _slower(figure: Mapping[str, float]) -> str:
    return "worse" if figure["high"] < 1 else "better" if figure["low"] > 1 else "equal"
