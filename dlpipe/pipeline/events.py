"""What happens in a run, as one stream of typed events. Progress display, logs, live pages and lineage all listen."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TextIO

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Base of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageQueued(Event):
    """It is going to run, once those are done that it comes `after`: the DAG's edges."""

    stage: str
    kind: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StageStarted(Event):
    """The store has no answer: it is being computed."""

    stage: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StageProgress(Event):
    """`fraction` from 0 to 1, or None where it is not known."""

    stage: str
    message: str
    fraction: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNote(Event):
    """Something the user should read. `where` may name a node, an operator, a file."""

    stage: str
    level: Literal["info", "warning"]
    message: str
    where: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageFinished(Event):
    """`seconds` of this run, so next to nothing for a hit. `tool`: its toolchain. `node`: of a cluster, that computed
    it. `reason`: of a failure after which the run goes on."""

    stage: str
    kind: str
    cache: Literal["hit", "miss"]
    seconds: float
    status: Literal["ok", "failed", "skipped"]
    tool: str | None = None
    node: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolchainMessage(Event):
    """A toolchain is being installed, or waited for."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreDamage(Event):
    """A part of the store was damaged and has been set aside; what needs it is computed anew."""

    kind: Literal["record", "tree", "object"]
    name: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreTrouble(Event):
    """The store that machines share does not answer; what it may have is computed anew."""

    message: str


Listener = Callable[[Event], None]


class EventBus:
    """Hands every event to every listener, in the order of subscription, one event at a time, from any thread."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []
        self._silenced: set[int] = set()
        self._lock = threading.RLock()

    def subscribe(self, listener: Listener) -> None:
        with self._lock:
            self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        """A listener that raises does not break the run; its first failure is logged."""
        with self._lock:
            for listener in self._listeners:
                try:
                    listener(event)
                except Exception:  # noqa: BLE001 - listeners only watch, whatever goes wrong in them
                    if id(listener) not in self._silenced:
                        self._silenced.add(id(listener))
                        _log.warning("a listener failed on %s", type(event).__name__, exc_info=True)


class JsonLines:
    """A listener that writes one JSON object per event: `event`, `time` (UTC), and the event's fields."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __call__(self, event: Event) -> None:
        if self._file is not None:
            line = {"event": type(event).__name__, "time": datetime.now(UTC).isoformat(), **asdict(event)}
            self._file.write(json.dumps(line, ensure_ascii=False, default=str) + "\n")
