"""How long a compiled model takes on this machine. Runs in the tvm toolchain: the machine code is the artefact's."""

import os
import resource
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import tvm
from dlpipe_worker import Request, operation
from tvm import relax

from . import ports

# handle -> which artefact it stands for, its function, its arguments, and how long loading took
_LOADED: dict[str, tuple[tuple[int, int], Any, list[Any], float]] = {}


@operation
def time_(request: Request) -> object:
    """artifact, samples -> seconds of each run, of the first sample. The model stays loaded under params["handle"]."""
    params = request.params
    file = Path(request.inputs["artifact"], "model.so").stat()
    identity = (file.st_ino, file.st_mtime_ns)
    if params["handle"] not in _LOADED or _LOADED[params["handle"]][0] != identity:
        _LOADED[params["handle"]] = (identity, *_load(request))
    _, main, arguments, load_seconds = _LOADED[params["handle"]]
    runs = [_timed(main, arguments) for _ in range(params["warmup"] + params["runs"])]
    return {
        "seconds": runs[params["warmup"] :],
        "load_seconds": load_seconds,
        "first_seconds": runs[0] if runs else None,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _load(request: Request) -> tuple[Any, list[Any], float]:
    folder = Path(request.inputs["artifact"])
    os.environ["TVM_NUM_THREADS"] = str(request.params.get("threads", 1))  # read when the first model runs
    with np.load(Path(request.inputs["samples"]) / "samples.npz", allow_pickle=False) as samples:
        feed = [samples[port["name"]][0] for port in ports.read(folder)["inputs"]]
    # Artefacts come to the same path one after the other, and the loader gives a path it knows the library it has.
    library = Path(tempfile.mkdtemp()) / "model.so"
    shutil.copyfile(folder / "model.so", library)
    started = time.perf_counter()
    machine = relax.VirtualMachine(tvm.runtime.load_module(str(library)), tvm.cpu())
    seconds = time.perf_counter() - started
    return machine["main"], [tvm.runtime.tensor(np.ascontiguousarray(each)) for each in feed], seconds


def _timed(main: Any, arguments: list[Any]) -> float:
    started = time.perf_counter()
    main(*arguments)
    return time.perf_counter() - started
