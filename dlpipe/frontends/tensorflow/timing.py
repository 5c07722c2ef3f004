"""How fast the original runs in TensorFlow."""

import resource
import time as clock
from contextlib import ExitStack
from typing import Any

from dlpipe_worker import Request

from .running import load_samples, open_at_boundary, read_contract


class Held:
    """A loaded model, kept open between requests so that the host can interleave candidates."""

    def __init__(self, request: Request) -> None:
        started = clock.perf_counter()
        contract = read_contract(request.inputs["imported"])
        samples = load_samples(request.inputs["samples"], contract["inputs"])
        self.values = [samples[port["name"]][0] for port in contract["inputs"]]
        self.stack = ExitStack()
        opened = open_at_boundary(request, contract, int(request.params.get("threads", 1)))
        self.run = self.stack.enter_context(opened)
        self.load_seconds = clock.perf_counter() - started
        started = clock.perf_counter()
        self.run(*self.values)
        self.first_seconds = clock.perf_counter() - started


_HELD: dict[str, Held] = {}


def time(request: Request) -> dict[str, Any]:
    """source, imported, samples -> seconds of each run on sample 0. params: handle, warmup, runs, threads."""
    handle = request.params["handle"]
    if handle not in _HELD:
        _HELD[handle] = Held(request)
    held = _HELD[handle]
    for _ in range(int(request.params.get("warmup", 0))):
        held.run(*held.values)
    seconds = []
    for _ in range(int(request.params.get("runs", 1))):
        started = clock.perf_counter()
        held.run(*held.values)
        seconds.append(clock.perf_counter() - started)
    return {
        "seconds": seconds,
        "load_seconds": held.load_seconds,
        "first_seconds": held.first_seconds,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }
