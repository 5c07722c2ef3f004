"""Reasons below a table: each once, with the number that stands beside the figure."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from dlpipe.report import words
from dlpipe.report.languages import ENGLISH, Language


class Footnotes:
    def __init__(self) -> None:
        self.reasons: list[str] = []

    def mark(self, text: str, reason: str | None) -> Text:
        if not reason:
            return Text(text)
        if reason not in self.reasons:
            self.reasons.append(reason)
        return Text.assemble(text, (f" [{self.reasons.index(reason) + 1}]", "dim"))

    def print(self, out: Console, t: Language = ENGLISH) -> None:
        for number, reason in enumerate(self.reasons, 1):
            out.print(Text(f"[{number}] {words.plain(t.said(reason))}", style="dim"))
