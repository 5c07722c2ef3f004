"""Shows the events of a run on standard error: one live line on a terminal, a line per finished stage elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Self

from dlpipe.cli.wrapping import say
from dlpipe.pipeline.events import (
    Event,
    StageFinished,
    StageNote,
    StageProgress,
    StageStarted,
    StoreDamage,
    StoreTrouble,
    ToolchainMessage,
)


class Progress:
    """A listener for the event bus, and a context manager that owns the live line."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._live = sys.stderr.isatty() and not quiet
        self._lock = threading.Lock()
        self._running: dict[str, str] = {}
        self._started = time.monotonic()
        self._finished = 0
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
                case StageStarted():
                    self._running[event.stage] = ""
                case StageProgress():
                    share = f" {event.fraction:.0%}" if event.fraction is not None else ""
                    self._running[event.stage] = event.message + share
                case StageFinished():
                    self._running.pop(event.stage, None)
                    self._finished += 1
                    if event.status == "failed" or (event.cache == "miss" and event.kind != "measure"):
                        self._line(f"{_MARK[event.status]} {event.stage:<44} {event.seconds:6.1f} s")
                case StoreDamage():
                    self._line(f"  the cache held a damaged {event.kind}, set aside: {event.reason}")
                case StoreTrouble():
                    self._line(f"  warning: {event.message}")
                case ToolchainMessage():
                    self._line(f"  {event.message}")
                case StageNote() if self._verbose or event.level != "info":
                    self._line(f"  {event.level}: {event.message} [{event.stage}]")
                case _:
                    pass

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
                text = f"{time.monotonic() - self._started:4.0f} s  {self._finished} done  " + " | ".join(doing)
                width = shutil.get_terminal_size().columns
                sys.stderr.write("\r\x1b[2K" + text[: width - 1])
                sys.stderr.flush()


_MARK = {"ok": "done", "failed": "FAIL", "skipped": "skip"}
