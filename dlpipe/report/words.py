"""How figures read: short, with their unit, and with what they stand for never lost. Shared by all renderers."""

from __future__ import annotations

import math

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Fidelity, Speedup

NOTHING = "–"
MARKS = {"measured": "", "emulated": "emulated", "estimated": "estimated", "absent": "absent"}


def plain(text: str) -> str:
    """Text of a model or tool, fit to be shown in a line: line breaks and tabs become spaces, other control characters
    (escape sequences, direction overrides) a visible replacement character."""
    return "".join(char if char.isprintable() else " " if char in "\n\r\t" else "\ufffd" for char in text)


def significant(value: float, digits: int = 3) -> str:
    """3 significant digits, without an exponent between 1e-4 and 1e6."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        places = max(0, digits - 1 - math.floor(math.log10(abs(value)))) if value else 0
        return f"{value:,.{places}f}"
    return f"{value:.{digits - 1}e}"


def duration(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{significant(milliseconds / 1000)} s"
    return f"{significant(milliseconds)} ms" if milliseconds >= 0.1 else f"{significant(milliseconds * 1000)} µs"


def size(count: float) -> str:
    """Decimal units, as disks and downloads are measured."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{significant(count / factor)} {unit}"
    return f"{count:,.0f} B"


def count(value: float) -> str:
    for unit, factor in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= factor:
            return f"{significant(value / factor)} {unit}"
    return f"{value:,.0f}"


def several(number: int, noun: str) -> str:
    """ "1 file", "2 files"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def points(value: float) -> str:
    """Percentage points with their sign. A plus is a loss against the original, a minus a gain."""
    return f"{value:+.2f} pt" if round(value, 2) else "0.00 pt"


def times(value: float) -> str:
    return f"{significant(value)}×"


def value(figure: Figure | None) -> str:
    """The figure's value with its unit, or a dash. Its provenance and reason are the caller's to show."""
    if figure is None or figure.value is None:
        return NOTHING
    number = figure.value
    if isinstance(number, bool):
        return "yes" if number else "no"
    if isinstance(number, str):
        return plain(number)
    match figure.unit:
        case "ms":
            return duration(number)
        case "bytes":
            return size(number)
        case "fraction":
            return f"{100 * number:.1f} %"
        case "x":
            return times(number)
        case "1/s":
            return f"{count(number)}/s"
        case "points":
            return points(number)
        case "count" | "MAC":
            return count(number)
        case None:
            return significant(number)
        case unit:
            return f"{f'{number:,}' if isinstance(number, int) else significant(number)} {plain(unit)}"


BUSY = 0.1  # share of the CPUs' time that others took: more than that is worth a word


def busy(share: float) -> str:
    return f"Other programs took {100 * share:.0f} % of the CPUs while this was measured"


def about(figure: Figure) -> str:
    """As `value`, with a "~" where its runs were too noisy to say it."""
    return ("~" if "too noisy to say" in (figure.reason or "") else "") + value(figure)


def interval_of(figure: Figure) -> str:
    """The 95 % interval of a number, "0.41–0.44 ms"; nothing where there is none."""
    if figure.ci95 is None:
        return ""
    low, high = (value(figure.model_copy(update={"value": end, "ci95": None})) for end in figure.ci95)
    number, _, unit = low.partition(" ")
    return f"{number}–{high}" if high.endswith(f" {unit}") else f"{low}–{high}"


def limit(number: float | str | None, unit: str | None) -> str:
    """A gate's limit or value, which carry their unit beside them."""
    if number is None:
        return NOTHING
    if isinstance(number, str):
        return plain(number)
    if unit == "points":
        return f"{number:.2f} pt"
    return value(Figure(value=number, unit=unit, provenance="measured"))


def fidelity(found: Fidelity | None) -> str:
    """The figure that decides: the relative error where it is limited, else the cosine."""
    if found is None:
        return NOTHING
    if found.tolerance is not None and found.max_rel is not None:
        return significant(found.max_rel, 2)
    if found.cosine is not None:
        return f"cos {found.cosine:.4f}"
    return NOTHING


def score(found: Accuracy) -> str:
    """The metric's value: a percentage where it is a fraction."""
    return _figure(found.value, found.unit)


def score_interval(found: Accuracy) -> str:
    if found.ci95 is None:
        return NOTHING
    low, high = (_figure(end, found.unit) for end in found.ci95)
    return f"{low} to {high}"


def _figure(number: float, unit: str | None) -> str:
    if unit == "fraction":
        return f"{100 * number:.2f} %"
    if unit == "points":
        return f"{number:.2f}"
    return f"{significant(number, 4)} {plain(unit)}" if unit else significant(number, 4)


def difference(number: float, unit: str | None) -> str:
    """Of two values of a metric, with its sign: in points where it is a fraction (`number` is 100 times that already)
    or counts to 100, else in its own unit."""
    if unit in ("fraction", "points"):
        return points(number)
    sign = "+" if number > 0 else ""
    return sign + significant(number) + (f" {plain(unit)}" if unit else "")


def drop(found: Accuracy | None) -> str:
    return difference(found.drop, found.unit) if found is not None and found.drop is not None else NOTHING


def loss_title(found: Accuracy | None) -> str:
    """Of a chart or axis with what was lost."""
    if found is None or found.metric == "top-1":
        return "Accuracy lost, in points"
    if found.unit in ("fraction", "points"):
        return f"{plain(found.metric)} lost, in points"
    return f"{plain(found.metric)} lost" + (f", in {plain(found.unit)}" if found.unit else "")


def interval(found: Accuracy) -> str:
    """Of the drop."""
    if found.drop_ci95 is None:
        return NOTHING
    low, high = (difference(end, found.unit) for end in found.drop_ci95)
    return f"{low} to {high}"


def speedup(found: Speedup | None) -> str:
    if found is None or found.value is None:
        return NOTHING
    return ("~" if found.noisy else "") + times(found.value)


def shortened(text: str, length: int) -> str:
    """At most `length` characters; what is left out shows as an ellipsis in the middle, where names differ least."""
    text = plain(text)
    if len(text) <= length:
        return text
    head = length // 2
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"
