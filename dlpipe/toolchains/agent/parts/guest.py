"""One program that runs an artefact."""

import ctypes
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from dlpipe.toolchains.agent.parts.common import LOOK, Failed, without_tokens

PR_SET_PDEATHSIG = 1
MAX_SAID = 4 << 20  # bytes of a line
MAX_WAITING = 8  # answers
LOG_END = 64 << 10  # bytes of the log in which the reason is looked for
# The kernel takes the end of the thread that started a program for the end of its parent: so one starts them all, which
# lives as long as the agent.
STARTER = ThreadPoolExecutor(1)


def ending_with_this_process() -> Optional[Callable[[], None]]:
    """What a program does before anything else, so that it outlives the agent not even where that is killed. None: this
    system has no such thing."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None) if sys.platform == "linux" else None
    if prctl is None:
        return None
    agent = os.getpid()

    def begin() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != agent:  # it died before we could say so
            os._exit(1)

    return begin


class Guest:
    """A program that runs an artefact: it prints lines `dlpipe {json}`; all else it says is kept for an error."""

    def __init__(self, command: List[str], code: Path, log: Path, site: Optional[str], uses: List[str]) -> None:
        """uses: digests of the folders that it reads."""
        path = os.pathsep.join([str(code)] + ([site] if site else []))
        self._log, self.folder, self.uses = log, code, uses
        self._errors = log.open("wb")
        self._process = STARTER.submit(
            subprocess.Popen,
            command,
            cwd=str(code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**without_tokens(), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"},
            start_new_session=True,
            preexec_fn=ending_with_this_process(),
        ).result()
        self._said: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue(MAX_WAITING)  # None: look whether it is over
        self._over = threading.Event()  # it says nothing more
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """No more of what it says is kept than an answer may have, or this agent would run out of memory with it."""
        stream, begins = self._process.stdout, True
        assert stream is not None
        for line in iter(lambda: stream.readline(MAX_SAID), b""):
            whole, begins = begins and line.endswith(b"\n"), line.endswith(b"\n")
            try:
                said = json.loads(line[len(b"dlpipe ") :].decode()) if whole and line.startswith(b"dlpipe ") else None
            except (ValueError, RecursionError):
                continue  # chatter of the runtime
            if isinstance(said, dict) and isinstance(said.get("result"), dict):
                self._put(said["result"])
        self._over.set()
        self._put(None)

    def _put(self, said: Optional[Dict[str, Any]]) -> None:
        try:
            self._said.put_nowait(said)
        except queue.Full:
            pass  # nobody asked so much

    def ask(self, what: Optional[Dict[str, Any]], until: float, gone: Callable[[], bool]) -> Dict[str, Any]:
        """Write one line to it (None: nothing), and wait for its result. `until`: of the monotonic clock; `gone`:
        whether nobody wants the answer any more. Raises Failed; the program is to be ended then."""
        if what is not None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps(what).encode() + b"\n")
                self._process.stdin.flush()
            except OSError:
                pass  # it has ended: what it said is looked at below
        while True:
            over = self._over.is_set()  # before the look: what it said last is heard
            try:
                said = self._said.get(timeout=0 if over else max(0.0, min(LOOK, until - time.monotonic())))
                if said is not None:
                    return said
            except queue.Empty:
                if over:
                    raise Failed("it ended with status %s: %s" % (self._process.wait(), self._last()), 422) from None
                if gone():
                    raise Failed("nobody waits for it any more", 499) from None
                if time.monotonic() >= until:
                    raise Failed("it did not end in time", 504) from None

    def _last(self) -> str:
        with self._log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - LOG_END))
            text = file.read(LOG_END).decode("utf-8", "replace")
        return ([line.strip() for line in text.splitlines() if line.strip()] or ["it said nothing"])[-1][:300]

    def end(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except OSError:
            pass  # gone
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._errors):
            if stream is not None:
                stream.close()
