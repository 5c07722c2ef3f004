"""What one core of this machine does at most. Runs in the toolchain `core`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

_PROGRAM = Path(__file__).with_name("program.py")


@operation
def limits(request: Request) -> dict[str, Any]:
    """Value: see `program.py`. In a process of its own, since the libraries read how many threads they may use
    when they are loaded. Raises RuntimeError with its last line when it fails."""
    del request
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, str(_PROGRAM)], env={**os.environ, **one}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise RuntimeError(f"the limits of this machine could not be measured: {last}")
    value: dict[str, Any] = json.loads(done.stdout)
    return value
