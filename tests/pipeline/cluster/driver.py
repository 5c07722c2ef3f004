"""Runs one stage of a worker file on a cluster, as a program: WORKER OPERATION PARAMS [TOOLCHAIN]. Prints its events, a
line each, and last what became of the stage."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError
from dlpipe.pipeline.events import Event
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


def show(event: Event) -> None:
    say(event=type(event).__name__, **asdict(event))


def main(worker: str, operation: str, params: str, toolchain: str = "base") -> None:
    stage = Stage("stage", "pass", Call(toolchain, Path(worker), operation, json.loads(params)))
    try:
        with Session(executor="ray", listeners=[show]) as session:
            outcome = session.executor.run([stage])["stage"]
            records = len(list(session.store.records()))
            say(value=outcome.value, output=outcome.output, faults=outcome.faults, records=records, cache=outcome.cache)
    except DlpipeError as error:
        say(**error.as_dict())
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main(*sys.argv[1:])
