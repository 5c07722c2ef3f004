"""A compression in words and figures: what the terminal and the page both show."""

from __future__ import annotations

from dataclasses import dataclass

from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.report import words
from dlpipe.report.compression import Compression, Figures, Part, Tried

COLUMNS = ("accuracy", "loss", "p", "size", "MACs", "speed-up")
_USES = {"train": "trained and calibrated on", "rank": "ranked on", "final": "finally measured on"}


@dataclass(frozen=True, slots=True)
class Row:
    """`figures` in the order of COLUMNS; `said`: reasons, a line each."""

    number: str
    chain: str
    figures: tuple[str, ...]
    verdict: str
    state: str
    said: tuple[str, ...]


def part_line(part: Part) -> str:
    """Which samples served for what."""
    if part.source == "generated":
        return f"{_USES[part.use]} {part.count:,} generated samples"
    return f"{_USES[part.use]} {part.count:,} samples of {words.plain(part.source)}"


def rows(report: Compression) -> list[Row]:
    """The uncompressed model first, then what was tried, in order."""
    found = [Row("0", "fp32 (optimised)", _figures(report.base), "", "", ())]
    for each in report.tried:
        star = "* " if report.chosen is not None and report.chosen.number == each.number else ""
        said = [each.reason] if each.reason else []
        said += [f"{name} left out: {why}" for name, why in each.left_out.items()]
        said += [f"the same file comes of {', '.join(each.also)}"] if each.also else []
        verdict = each.verdict + (" (Pareto)" if each.pareto else "")
        lines = tuple(words.plain(text) for text in said)
        found.append(Row(f"{star}{each.number}", _chain(each), _figures(each.figures), verdict, each.verdict, lines))
    return found


def final(found: Figures) -> list[str]:
    """What is said of the chosen one."""
    lines = []
    if found.accuracy is not None:
        accuracy = found.accuracy
        lines.append(
            f"{accuracy.metric} {_accuracy(accuracy)} of {accuracy.n:,}, loss {words.drop(accuracy)}"
            + (f" (95 % interval {words.interval(accuracy)})" if accuracy.drop_ci95 else "")
            + (f", p = {accuracy.p_value:.2g}" if accuracy.p_value is not None else "")
        )
    elif found.fidelity is not None and found.fidelity.cosine is not None:
        lines.append(f"outputs: cosine {found.fidelity.cosine:.5f} with the original's; accuracy is unknown")
    speedup = _speedup(found.speedup)
    faster = f", speed-up {speedup}" if speedup != words.NOTHING else ""
    lines.append(f"size {words.value(found.cost.get('size'))}{faster}")
    return lines


def _chain(each: Tried) -> str:
    steps = [
        step.name + (f"({', '.join(_param(*pair) for pair in step.params.items())})" if step.params else "")
        for step in each.steps
    ]
    return words.plain(f"{each.recipe}: " + " + ".join(steps))


def _param(key: str, value: object) -> str:
    if not isinstance(value, list):
        return f"{key}={value}"
    if key in ("keep", "exclude"):
        return f"{key}={len(value)} layer{'s' if len(value) != 1 else ''}"
    return f"{key}={'/'.join(map(str, value))}"


def _figures(found: Figures) -> tuple[str, ...]:
    return (
        _accuracy(found.accuracy),
        words.drop(found.accuracy),
        words.NOTHING if found.accuracy is None or found.accuracy.p_value is None else f"{found.accuracy.p_value:.2g}",
        words.value(found.cost.get("size")),
        words.value(found.cost.get("macs")),
        _speedup(found.speedup),
    )


def _accuracy(found: Accuracy | None) -> str:
    if found is None:
        return words.NOTHING
    if found.ci95 is None:
        return words.score(found)
    scale, places = (100, 1) if found.unit == "fraction" else (1, 3)
    low, high = (f"{scale * end:.{places}f}" for end in found.ci95)
    return f"{words.score(found)} [{low}, {high}]"


def _speedup(found: Speedup | None) -> str:
    if found is None or found.value is None or found.ci95 is None:
        return words.NOTHING
    low, high = found.ci95
    return f"{words.speedup(found)} [{low:.2f}, {high:.2f}]"
