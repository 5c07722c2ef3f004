"""Runs what may crash (a converter in C++ that aborts at what it does not expect) in a process of its own."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import traceback
from collections.abc import Callable


def apart(work: Callable[[], object]) -> tuple[int, str]:
    """Returns (exit status: 0, 1 for a Python exception, -N for signal N; everything that was printed).

    A fork: `work` sees all that is loaded here and gives back what it writes to files.
    """
    with tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                _print_at_once()
                work()
                status = 0
            except BaseException:  # noqa: BLE001 - a fork must never get back into its parent's code
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)
        _, ended = os.waitpid(child, 0)
        said.seek(0)
        text = said.read().decode("utf-8", errors="replace")
    sys.stdout.write(text)
    return os.waitstatus_to_exitcode(ended), text


def _print_at_once() -> None:
    """What C code prints is not lost with its buffer when it crashes."""
    libc = ctypes.CDLL(None)
    libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, 2, 0)  # 2: _IONBF


def how_it_ended(status: int) -> str:
    """For a message: "ended with signal 11"."""
    return f"ended with signal {-status}" if status < 0 else "failed"
