"""A team of processes, one for each GPU or as many as are asked for, that train one model with one global batch.

The worker itself leads. The others are workers of the same kind, started by it: each is told the same request under the
operation `follow`, and all meet in torch's process group (nccl on GPUs, gloo on the loopback of the jail elsewhere).
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import dlpipe_worker
import torch
from dlpipe_worker import Refused

from .settings import Settings
from .team import Team

_PATIENCE = timedelta(minutes=10)  # for the slowest of a team: another one may be judging


def size(settings: Settings) -> int:
    """0 processes: one for each GPU, or one."""
    if settings.processes:
        return settings.processes
    return max(1, torch.cuda.device_count()) if device(settings) == "cuda" else 1


def device(settings: Settings) -> str:
    if settings.device == "cuda" and not torch.cuda.is_available():
        raise Refused(
            "device='cuda' is asked for, and torch sees no GPU here",
            kind="unsupported",
            hint="device='auto' takes what is there",
        )
    return "cuda" if settings.device != "cpu" and torch.cuda.is_available() else "cpu"


@contextmanager
def leading(settings: Settings, request: Mapping[str, Any]) -> Iterator[Team]:
    """The team whose leader this process is. `request`: params and inputs, for the others."""
    count, kind = size(settings), device(settings)
    if kind == "cuda" and count > torch.cuda.device_count():
        raise Refused(
            f"processes={count} are asked for, and there are {torch.cuda.device_count()} GPUs", kind="unsupported"
        )
    if count == 1:
        yield Team(device=torch.device(kind))
        return
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as scratch:
        others = [_Follower(rank, count, Path(scratch), request) for rank in range(1, count)]
        try:
            with joined(settings, 0, count, Path(scratch)) as team:
                yield team
            for other in others:
                other.finish()
        except RuntimeError as error:  # torch's: another one has left the group
            told = [reason for other in others if (reason := other.failure())]
            if told:
                raise RuntimeError(f"{told[0]} ({error})") from error
            raise
        finally:
            torch.set_num_threads(threads)
            for other in others:
                other.end()


@contextmanager
def joined(settings: Settings, rank: int, count: int, meeting: Path) -> Iterator[Team]:
    """Member `rank` of a team that meets in the folder `meeting`. Leaving it, however, is noticed by the others."""
    kind = device(settings)
    where = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    if kind == "cuda":
        torch.cuda.set_device(where)
    else:
        torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) // count))
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the jail has no other
    torch.distributed.init_process_group(
        "nccl" if kind == "cuda" else "gloo",
        init_method=f"file://{meeting / 'meeting'}",
        rank=rank,
        world_size=count,
        timeout=_PATIENCE,
    )
    try:
        yield Team(rank, count, where)
    finally:
        torch.distributed.destroy_process_group()


class _Follower:
    """A further worker process."""

    def __init__(self, rank: int, count: int, meeting: Path, request: Mapping[str, Any]) -> None:
        ours, theirs = socket.socketpair()
        out = meeting / f"out-{rank}"
        out.mkdir()
        with theirs:
            command = [sys.executable, str(dlpipe_worker.__file__), str(theirs.fileno()), "{}"]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        self._socket, self._lines = ours, ours.makefile("r", encoding="utf-8")
        params = {**request["params"], "rank": rank, "count": count, "meeting": str(meeting)}
        worker = str(Path(__file__).with_name("worker.py"))
        asked = {"id": 1, "worker": worker, "operation": "follow", "out": str(out)}
        line = json.dumps({**asked, "params": params, "inputs": dict(request["inputs"])})
        ours.sendall((line + "\n").encode())
        # Nothing more is asked, so it ends once it has answered. torch's group, which a training that failed there may
        # hold on to, ends with it, and the others do not wait.
        ours.shutdown(socket.SHUT_WR)

    def finish(self) -> None:
        if reason := self.failure():
            raise RuntimeError(reason)

    def failure(self) -> str | None:
        """Waits for its last word; what went wrong there, if anything has."""
        self._socket.settimeout(_PATIENCE.total_seconds())
        with suppress(OSError, ValueError):
            for line in self._lines:
                event = json.loads(line)
                if event["event"] == "failed":
                    return f"a further process of the team failed: {event['message']}"
                if event["event"] == "result":
                    return None
        return "a further process of the team ended without a word"

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._lines.close()
        self._socket.close()
