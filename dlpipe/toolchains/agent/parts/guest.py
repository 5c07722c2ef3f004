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
        self._said: "queue.Queue[Optional[Dict[str, Any]]]" = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            try:
                said = json.loads(line[len(b"dlpipe ") :].decode()) if line.startswith(b"dlpipe ") else None
            except ValueError:
                continue  # chatter of the runtime
            if isinstance(said, dict) and "result" in said:
                self._said.put(said["result"])
        self._said.put(None)

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
            try:
                said = self._said.get(timeout=max(0.0, min(LOOK, until - time.monotonic())))
            except queue.Empty:
                if gone():
                    raise Failed("nobody waits for it any more", 499) from None
                if time.monotonic() >= until:
                    raise Failed("it did not end in time", 504) from None
                continue
            if said is None:
                raise Failed("it ended with status %s: %s" % (self._process.wait(), self._last()), 422)
            return said

    def _last(self) -> str:
        text = self._log.read_text(encoding="utf-8", errors="replace")
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
