"""Runs a worker's operations as the host does: a process with the worker runtime, a request, events."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.toolchains.code import Shelf

RUNTIME = Path(__file__).resolve().parents[1] / "dlpipe" / "toolchains" / "runtime" / "dlpipe_worker.py"
Serve = Callable[..., list[dict[str, Any]]]


@contextmanager
def serving(shelf: Path) -> Iterator[Serve]:
    """serve(call, {input: folder}, out) -> the events, of which the last one is "result" with its value, or "failed".

    Without the jail and without a toolchain: numpy is all that what is called needs. shelf: where its code goes.
    """
    code = Shelf(shelf)
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, RUNTIME, str(theirs.fileno()), "{}"], pass_fds=[theirs.fileno()])
    theirs.close()
    with ours, ours.makefile("r", encoding="utf-8") as reader:
        assert json.loads(reader.readline())["event"] == "ready"

        def serve(call: Call, inputs: Mapping[str, Path], out: Path | str = "") -> list[dict[str, Any]]:
            line = {
                "id": 1,
                "worker": str(code.put(call.worker, call.libraries)),
                "operation": call.operation,
                "params": dict(call.params),
                "inputs": {name: str(folder) for name, folder in inputs.items()},
                "out": str(out),
            }
            ours.sendall((json.dumps(line) + "\n").encode())
            events: list[dict[str, Any]] = []
            while not events or events[-1]["event"] not in ("result", "failed"):
                events.append(json.loads(reader.readline()))
            return events

        yield serve
    process.wait(timeout=30)
