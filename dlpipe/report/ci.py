"""Gates as a CI system shows them: a summary in Markdown, annotations, JUnit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dlpipe.report import words
from dlpipe.report.markdown import table, text
from dlpipe.report.schema import Gate
from dlpipe.report.summary import gate as described

_VERDICTS = {True: "passed", False: "**failed**", None: "no verdict"}


def summary(title: str, gates: Sequence[Gate], broken: Sequence[Gate], notes: Iterable[str] = ()) -> str:
    """A section for a job's summary page (GitHub-flavoured Markdown). Broken gates come first."""
    rows = [
        [text(each.name), text(each.subject), "**failed**" if each in broken else _VERDICTS[each.passed],
         words.limit(each.value, each.unit), words.limit(each.limit, each.unit), text(each.reason or "")]
        for each in sorted(gates, key=lambda each: each not in broken)
    ]  # fmt: skip
    verdict = f"{len(broken)} of {len(gates)} gates failed" if broken else f"all {len(gates)} gates hold"
    lines = [f"### {text(title)}: {verdict}", ""]
    lines += [*(f"- {text(note)}" for note in notes), ""]
    lines += table(("gate", "subject", "result", "value", "limit", "why"), rows)
    return "\n".join(lines) + "\n\n"


def error_lines(broken: Iterable[Gate]) -> Iterable[str]:
    """GitHub's workflow commands, one a line. What comes from the model can neither end the line nor the title."""
    for each in broken:
        yield f"::error title={_property(f'dlpipe {each.name}')}::{_data(f'{each.subject}: {described(each)}')}"


def _data(value: str) -> str:
    return words.plain(value).replace("%", "%25")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
