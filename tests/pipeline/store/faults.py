"""Faults in the middle of a store's work: every call that changes the disk can kill the process or fail.

Run as a program (`faults.py FOLDER FAULT`) it does all of a stage's writing once per step in the stores
`FOLDER/step-N` (copies of `FOLDER/template`, if that is there), each in a process of its own that meets the fault at
step N, and prints their exit codes as JSON: 9 killed, 3 a UserError with the right words, 0 got through.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlpipe.errors import UserError
from dlpipe.pipeline.store import Store
from dlpipe.pipeline.store import store as store_module
from tests.pipeline.store.making import record

CHANGING = ("open", "write", "fsync", "fchmod", "chmod", "utime", "rename", "replace", "link", "unlink", "mkdir")
PARTS = {"stage": "under fire"}
SAYS = {"ENOSPC": "disk is full", "EIO": "cannot use the cache"}


def work(root: Path, folder: Path) -> None:
    """All that a stage writes."""
    store = Store(root)
    with store.pin("run"):
        tree = store.ingest(folder)
        log = store.put_blob(b"the log")
        store.put(record(tree, {"value": 1}, log, **PARTS))


def arm(step: int, fault: str) -> Callable[[], int]:
    """The `step`-th changing call (from 0) meets the fault; "kill" and "torn" die, an errno's name is raised from
    then on, as by a full disk. Returns a function that gives the number of calls so far."""
    counter = itertools.count()
    seen = [0]

    def wrap(name: str) -> Callable[..., Any]:
        real = getattr(os, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return real(*args, **kwargs)
            seen[0] = next(counter) + 1
            if seen[0] > step >= 0:
                if fault == "torn" and name == "write":
                    real(args[0], bytes(args[1])[: len(args[1]) // 2])
                if fault in ("kill", "torn"):
                    os._exit(9)
                if name not in ("unlink", "chmod"):
                    raise OSError(getattr(errno, fault), os.strerror(getattr(errno, fault)))
            return real(*args, **kwargs)

        return call

    for name in CHANGING:
        setattr(os, name, wrap(name))
    return lambda: seen[0]


def attempt(root: Path, folder: Path, step: int, fault: str) -> tuple[int, int]:
    """Exit code, and the number of steps it took."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        code, real_write, steps = 1, os.write, arm(step, fault)
        try:
            work(root, folder)
            code = 0
        except UserError as error:
            code = 3 if SAYS[fault] in error.message else 4
        except BaseException:  # noqa: BLE001 - a child must not return into the parent's program
            traceback.print_exc()
        finally:
            real_write(writing, str(steps()).encode())
            os._exit(code)
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.wait()[1])
    with open(reading, "rb") as pipe:
        return code, int(pipe.read() or -1)


def main() -> None:
    folder, fault = Path(sys.argv[1]), sys.argv[2]
    store_module._COPIERS = 1  # one step after the other
    template = folder / "template"

    def fresh(name: str) -> Path:
        return shutil.copytree(template, folder / name) if template.exists() else folder / name

    _, steps = attempt(fresh("clean"), folder / "in", -1, fault)
    codes = [attempt(fresh(f"step-{step}"), folder / "in", step, fault)[0] for step in range(steps)]
    sys.stdout.write(json.dumps(codes))


if __name__ == "__main__":
    main()
