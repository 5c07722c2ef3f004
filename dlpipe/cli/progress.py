"""Shows the events of a run on standard error: one live line on a terminal, a line per finished stage elsewhere."""

from __future__ import annotations

import re
import sys
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from dlpipe.cli.wrapping import say
from dlpipe.pipeline.events import (
    Event,
    StageFinished,
    StageNote,
    StageProgress,
    StageQueued,
    StageStarted,
    StoreDamage,
    StoreTrouble,
    ToolchainMessage,
)
from dlpipe.report.words import plain


class Progress:
    """A listener for the event bus, and a context manager that owns the live line."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._live = sys.stderr.isatty() and not quiet
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}
        self._noted: set[tuple[str, str]] = set()
        self._started = time.monotonic()
        self._planned = self._finished = 0  # what is planned may grow: which stages follow, others' results say
        self._stop = threading.Event()
        self._painter: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._live:
            self._painter = threading.Thread(target=self._paint, daemon=True)
            self._painter.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._painter is not None:
            self._painter.join()
            self._clear()

    def __call__(self, event: Event) -> None:
        with self._lock:
            match event:
                case StageQueued():
                    self._planned += 1
                case StageStarted():
                    self._running[event.stage] = ""
                case StageProgress():
                    share = f" {event.fraction:.0%}" if event.fraction is not None else ""
                    self._running[event.stage] = event.message + share
                case StageFinished():
                    self._running.pop(event.stage, None)
                    self._finished += 1
                    if event.status == "failed" or (event.cache == "miss" and event.kind != "measure"):
                        why = (event.reason or "").partition("\n")[0]
                        name = _DIGEST.sub(r"\1", event.stage)
                        self._line(f"{_MARK[event.status]} {name:<44} {event.seconds:6.1f} s  {why}".rstrip())
                case StoreDamage():
                    self._line(f"  the cache held a damaged {event.kind}, set aside: {event.reason}")
                case StoreTrouble():
                    self._line(f"  warning: {event.message}")
                case ToolchainMessage():
                    self._line(f"  {event.message}")
                case StageNote() if self._verbose or (event.level != "info" and self._is_new(event)):
                    self._line(f"  {event.level}: {event.message} [{event.stage}]")
                case _:
                    pass

    def _is_new(self, note: StageNote) -> bool:
        """Many stages that do the same to one model say the same of it: the first one is enough."""
        said = note.level, note.message
        if said in self._noted:
            return False
        self._noted.add(said)
        return True

    def _line(self, text: str) -> None:
        if self._quiet:
            return
        if self._live:
            self._clear()
        say(text, to_stderr=True)
        sys.stderr.flush()

    def _clear(self) -> None:
        sys.stderr.write("\r\x1b[2K")

    def _paint(self) -> None:
        import shutil

        while not self._stop.wait(0.1):
            with self._lock:
                doing = [f"{stage} {message}".strip() for stage, message in self._running.items()]
                head = f"{time.monotonic() - self._started:4.0f} s  {self._finished} of {self._planned} done  "
                width = shutil.get_terminal_size().columns
                sys.stderr.write("\r\x1b[2K" + fitted(head, doing, width - 1))
                sys.stderr.flush()


def fitted(head: str, doing: Sequence[str], width: int) -> str:
    """One line of no more than `width` columns: whole entries, and how many more there are; of one that is too long by
    itself, its first words."""
    shown = [plain(each) for each in doing]
    for count in range(len(shown), 0, -1):
        line = head + " | ".join(shown[:count]) + _more(len(shown) - count)
        if len(line) <= width:
            return line
    more = _more(len(shown) - 1) if shown else ""
    room = width - len(head) - len(more) - len("…")
    words = shown[0][: room + 1].rpartition(" ")[0] if shown and room > 0 else ""
    return f"{head}{words}…{more}" if words else head.rstrip()[: max(0, width)]


def _more(count: int) -> str:
    return f" | and {count} more" if count else ""


_DIGEST = re.compile(r"\b([0-9a-f]{12})[0-9a-f]{52}\b")
_MARK = {"ok": "done", "failed": "FAIL", "skipped": "skip"}
