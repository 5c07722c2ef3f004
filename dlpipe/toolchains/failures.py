"""From what a worker said, or how it ended, to the error that the user reads."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Mapping
from typing import Any

from dlpipe.contracts.call import Limits
from dlpipe.errors import BadModel, DiskTrouble, DlpipeError, StageFailed, Unsupported
from dlpipe.toolchains.supervisor import Breach

_HINTS = {
    "memory": "a smaller model, or a machine with more memory; the limit is part of the stage's definition",
    "processes": "the tool, or the model, starts processes without an end",
    "CPU time": "the tool did not come to an end; the log says how far it got",
    "output size": "the tool, or the model, writes without an end",
}
_BY_SIGNAL = {
    signal.SIGKILL: "the kernel may have run out of memory; close other programs, or use fewer jobs",
    signal.SIGILL: "the tool was built for a newer processor than this one",
}

_NOISE = re.compile(
    r"^\s*$|warn(ing)?s?\b|^W\d{4}|^I\d{4}|^\d{4}-\d\d-\d\d .*: [IW] |\bINFO\b|\bDEBUG\b"  # warnings and remarks
    r"|\d{1,3} ?%|it/s|\[[=#>. -]{5,}\]"  # progress bars
    r"|^\s+(File \"|at |in |from )|^Traceback|^\s*[\^~]+\s*$|^\s*#\d+ ",  # frames of a trace
    re.IGNORECASE,
)
_TELLING = re.compile(
    r"error|exception|fatal|fail|abort|terminate called|what\(\)|assert|cannot|can't|unable|invalid|unsupported"
    r"|not (found|supported|implemented)|no such|refused|denied|panick|overflow|corrupt",
    re.IGNORECASE,
)
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")
_FULL = os.strerror(errno.ENOSPC)  # as tools say it, in whatever language they are written
_LINES = 200
_WIDTH = 300


def telling_line(log: str) -> str | None:
    """The line of the log's end that most likely says what went wrong: the last one that speaks of an error, else the
    last one that is no warning, progress bar or frame of a trace. None where there is none."""
    lines = [_printable(line) for line in re.split(r"[\r\n]+", _TERMINAL.sub("", log))[-_LINES:]]
    lines = [line for line in lines if not _NOISE.search(line)]
    telling = [line for line in lines if _TELLING.search(line)]
    return (telling or lines)[-1].strip()[:_WIDTH] if lines else None


def reported(event: Mapping[str, Any], limits: Limits, where: Mapping[str, Any]) -> DlpipeError:
    """The error of a `failed` event."""
    message = event.get("message") or "the tool failed and did not say why"
    places = {**where, "node": event.get("node"), "op": event.get("op")}
    kind, hint = event.get("kind"), event.get("hint")
    if kind == "bad-model":
        return BadModel(message, hint=hint, **places)
    if kind == "unsupported":
        return Unsupported(message, hint=hint, **places)
    if kind == "memory":
        message = f"the tool ran out of memory ({message}); the limit is {limits.memory} bytes"
        return StageFailed(message, hint=hint or _HINTS["memory"], **places)
    if _FULL in message:
        return _disk_full(places)
    if "[Errno 27]" in message:
        message = f"{message}; the limit is {limits.file_size} bytes for a file"
    return StageFailed(message, hint=hint or "the log and the trace in it say more", **places)


def breached(breach: Breach, where: Mapping[str, Any]) -> StageFailed:
    return StageFailed(f"the tool {breach.message}", hint=_HINTS[breach.limit], status=f"{breach.limit} limit", **where)


def timed_out(seconds: float, where: Mapping[str, Any]) -> StageFailed:
    return StageFailed(
        f"the tool did not finish within its time limit of {seconds:g} s",
        hint="the log says how far it got",
        status="time limit",
        **where,
    )


def broke_protocol(detail: str, where: Mapping[str, Any]) -> StageFailed:
    return StageFailed(
        f"the worker broke the protocol: {detail}",
        hint="the model, or the tool, has tampered with its worker: do not trust either",
        **where,
    )


def _disk_full(where: Mapping[str, Any]) -> DiskTrouble:
    return DiskTrouble(
        "the disk with the cache's working folder is full", hint="free some space, or set DLPIPE_CACHE_DIR", **where
    )


def died(status: int | None, log: str, where: Mapping[str, Any]) -> DlpipeError:
    """`status` is the exit status, or minus the signal that ended it."""
    said = telling_line(log)
    if _FULL in (said or ""):
        return _disk_full(where)
    tail = f": {said}" if said else ""
    if status is not None and status < 0:
        try:
            number = signal.Signals(-status)
        except ValueError:
            return StageFailed(f"the tool was ended by signal {-status}{tail}", signal=str(-status), **where)
        what = {signal.SIGSEGV: " (it accessed memory that is not its own)", signal.SIGABRT: " (it gave up)"}
        return StageFailed(
            f"the tool crashed with {number.name}{what.get(number, '')}{tail}",
            hint=_BY_SIGNAL.get(number, "a defect of the tool, or a damaged model"),
            signal=number.name,
            **where,
        )
    return StageFailed(
        f"the tool ended in mid-work with exit status {status}{tail}",
        hint="the log says more",
        status=status,
        **where,
    )


def _printable(line: str) -> str:
    return "".join(character if character.isprintable() else " " for character in line)
