"""The operations around a backend's `open_model`: run the samples, and be timed.

`serve(__name__, open_model)` gives both to a worker file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

from .executing import Held, Open, execute


def serve(worker: str, open_model: Open) -> None:
    """worker: the `__name__` of the file that the host calls. One whose operations differ writes them itself."""

    def run_(request: Request) -> dict[str, Any]:
        return run(request, open_model)

    def time_(request: Request) -> dict[str, Any]:
        return time(request, open_model)

    for each in (run_, time_):
        each.__module__ = worker  # whose operation it is
        operation(each)


def run(request: Request, open_model: Open, ran_on: str = "native") -> dict[str, Any]:
    """artifact, samples -> outputs.npz. params: machine (as `uname -m` says it) where the processor matters.

    `ran_on`: native, or the device that `proof` shows ("vulkan:llvmpipe", "simulator:NAME").
    """
    answer = execute(
        open_model,
        request.inputs["artifact"],
        str(Path(request.inputs["samples"], "samples.npz")),
        str(Path(request.out, "outputs.npz")),
        lambda done: request.progress("running", done),
    )
    if answer["machine"] != request.params.get("machine", answer["machine"]):
        raise RuntimeError(f"this machine is {answer['machine']}, not {request.params['machine']}")
    return {"ran_on": ran_on, **answer}


_HELD: dict[str, tuple[tuple[int, int], Held]] = {}  # handle -> which file it was made of, and what was loaded


def time(request: Request, open_model: Open) -> dict[str, Any]:
    """artifact, samples -> seconds of each run of the first sample. params: handle, warmup, runs, threads.

    The model stays open under the handle, so that the host can take turns between candidates. "loaded": whether it was
    opened for this call.
    """
    params = request.params
    file = Path(request.inputs["artifact"], "run.json").stat()
    identity = (file.st_ino, file.st_mtime_ns)
    known = _HELD.get(params["handle"])
    loaded = known is None or known[0] != identity
    if known is None or loaded:
        samples = str(Path(request.inputs["samples"], "samples.npz"))
        held = Held(open_model, request.inputs["artifact"], samples, int(params.get("threads", 1)))
        known = _HELD[params["handle"]] = identity, held
    return {"loaded": loaded, **known[1].times(params["warmup"], params["runs"])}
