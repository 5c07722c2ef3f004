"""The process of one attempt at a job: `python -m dlpipe.service.child PARENT EXECUTOR`, in the attempt's folder.

It reads `asked.json`, converts, and leaves `events.jsonl`, `log.txt` (its output), `stderr.txt` (for the operator
alone), `out/` and last of all `result.json`. It knows no token and no database, and ends with the worker that started
it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlpipe.errors import DlpipeError, UserError
from dlpipe.pipeline.events import (
    Event,
    JsonLines,
    StageFinished,
    StageNote,
    StoreDamage,
    StoreTrouble,
    ToolchainMessage,
)
from dlpipe.pipeline.store.remote import VARIABLE, Bucket
from dlpipe.service.asked import Asked
from dlpipe.service.redact import redact
from dlpipe.service.shared import Shared
from dlpipe.toolchains.manager import default_cache_dir

ASKED, EVENTS, LOG, CHATTER = "asked.json", "events.jsonl", "log.txt", "stderr.txt"
OUT, RESULT = "out", "result.json"
TEAM_URL = "DLPIPE_TEAM_URL"  # of the part of the shared bucket that is the team's
_PR_SET_PDEATHSIG = 1
_PATHS = ("log", "bundle", "report")  # of this machine: of no use to somebody else, and nobody else's business


def main(parent: int, executor: str) -> None:
    end_with(parent, signal.SIGKILL)
    shared = Shared(Bucket(os.environ[TEAM_URL])) if TEAM_URL in os.environ else None
    if shared is not None:
        os.environ[VARIABLE] = shared.store.url
    error: DlpipeError | None
    try:
        asked = Asked.model_validate_json(Path(ASKED).read_bytes())
    except ValidationError:
        error = UserError(
            "this job was accepted by an earlier version of the service, which asked for less",
            hint="submit it again: the answer says what is wrong",
        )
        _tell(error)
    else:
        error = _convert(asked, executor)
    if shared is not None and Path(OUT).is_dir():
        error = _share(shared) or error
    result = {"exit_code": error.exit_code if error else 0, "error": _shown(error), "written": Path(OUT).is_dir()}
    making = Path(f"{RESULT}.part")
    making.write_text(json.dumps(result, default=str), encoding="utf-8")
    making.replace(RESULT)


def end_with(parent: int, how: signal.Signals) -> None:
    """Have the kernel send `how` to this process when the thread that started it ends, if only by being killed."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, how)
    if os.getppid() != parent:  # it died before we could say so
        signal.raise_signal(how)


def _convert(asked: Asked, executor: str) -> DlpipeError | None:
    from dlpipe.pipeline.convert import convert
    from dlpipe.pipeline.session import Session

    try:
        with JsonLines(Path(EVENTS)) as events, Session(executor=executor, listeners=[events, _say]) as session:
            error = convert(session, asked.request()).error
    except DlpipeError as raised:
        error = raised
    except Exception as raised:  # noqa: BLE001 - our bug, which must not look like a dead worker: that is tried again
        traceback.print_exc()
        error = DlpipeError(f"this is a bug of dlpipe, not of your model: {type(raised).__name__}: {raised}")
    if error is not None:
        _tell(error)
    return error


def _tell(error: DlpipeError) -> None:
    _print(f"dlpipe: {error.message}" + (f"\n  what to do: {error.hint}" if error.hint else ""))


def _share(shared: Shared) -> DlpipeError | None:
    """The output, while this process' worker still holds the job."""
    *_, job, attempt = Path.cwd().parts
    try:
        shared.send_output(job, int(attempt), Path(OUT), default_cache_dir())
    except DlpipeError as error:
        return error
    return None


def _shown(error: DlpipeError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    told = error.as_dict()
    told["where"] = {key: value for key, value in told["where"].items() if key not in _PATHS}
    found: dict[str, Any] = json.loads(redact(json.dumps(told, ensure_ascii=False, default=str), _root()))
    return found


def _say(event: Event) -> None:
    """The log, as people read it."""
    match event:
        case StageFinished() if event.cache == "miss" or event.status != "ok":
            line = f"{event.status:<7} {event.stage:<52} {event.seconds:7.1f} s"
        case StageNote():
            line = f"{event.level}: {event.message} [{event.stage}]"
        case ToolchainMessage():
            line = event.message
        case StoreTrouble():
            line = f"warning: {event.message}"
        case StoreDamage():
            line = f"the cache held a damaged {event.kind}, set aside: {event.reason}"
        case _:
            return
    _print(line)


def _print(text: str) -> None:
    print(redact(text, _root()), flush=True)  # noqa: T201 - the log


def _root() -> Path:
    """The service's data folder: see `Places.attempt`."""
    return Path.cwd().parents[2]


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
