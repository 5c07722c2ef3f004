"""Operations that every executor of originals has: outputs for samples, all layers of one sample, timing.

Clean down to Python 3.6, for old frameworks. A frontend brings `open_model(request, contract, threads)` -> `Model`,
and `serve(__name__, open_model)` gives its worker file the operations `reference`, `layers` and `time`. Their params:
those that `open_model` reads, and of `time` also handle, warmup, runs, threads.
"""

import resource
import time as clock
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional

from dlpipe_worker import Refused, Request, operation

from . import ports

PER_PROGRESS = 64  # samples

Arrays = Dict[str, Any]


class Model:
    """The original, loaded. `tool`: its executor with version, e.g. "opencv 4.14.0"."""

    tool = ""

    def run(self, feeds: Arrays) -> Arrays:
        """One sample, exactly as it is fed: input port's name -> array to output port's name -> array."""
        raise NotImplementedError

    def run_all(self, samples: Arrays, progress: Callable[[float], None]) -> List[Arrays]:
        """Every sample, [N, *shape] per input. For an executor to whom a single call is dear, to do better."""
        count = len(next(iter(samples.values()))) if samples else 1
        found = []
        for index in range(count):
            found.append(self.run({name: array[index] for name, array in samples.items()}))
            if index % PER_PROGRESS == 0:
                progress(index / float(count))
        return found

    def layers(self, feeds: Arrays) -> Arrays:
        """Name of a layer (or tensor) in the original file -> its output, in the order of execution."""
        raise NotImplementedError


Open = Callable[[Request, Mapping[str, Any], Optional[int]], Model]


def serve(worker: str, open_model: Open) -> None:
    """worker: the `__name__` of the file that the host calls. One whose operations differ writes them itself."""

    def reference_(request: Request) -> Dict[str, Any]:
        return reference(request, open_model)

    def layers_(request: Request) -> Dict[str, Any]:
        return layers(request, open_model)

    def time_(request: Request) -> Dict[str, Any]:
        return time(request, open_model)

    enter(worker, reference_, layers_, time_)


def enter(worker: str, *operations: Callable[[Request], Dict[str, Any]]) -> None:
    """Functions that are made here are operations of that file."""
    for each in operations:
        each.__module__ = worker
        operation(each)


def reference(request: Request, open_model: Open, kind: str = "original") -> Dict[str, Any]:
    """source, imported, samples -> outputs.npz: per output [N, *shape].

    kind: "original" (the model's own framework), "independent" (another implementation) or "own" (ours).
    """
    import numpy as np

    contract = ports.read_contract(request.inputs["imported"])
    samples = ports.read_samples(request.inputs["samples"], contract["inputs"])
    model = open_model(request, contract, None)
    found = model.run_all(samples, lambda done: request.progress("running the original", done))
    rows = {
        each["name"]: [np.asarray(answer[each["name"]]).astype(each["dtype"], copy=False) for answer in found]
        for each in contract["outputs"]
    }
    for name, values in rows.items():
        if len({value.shape for value in values}) > 1:
            raise Refused(f"output {name!r} has another shape for every sample", kind="unsupported")
    ports.write_npz(Path(request.out, "outputs.npz"), {name: np.stack(each) for name, each in rows.items()})
    return {"count": len(found), "tool": model.tool, "kind": kind}


def layers(request: Request, open_model: Open) -> Dict[str, Any]:
    """source, imported, samples -> layers.npz: what each layer of the original gives for sample 0, in order."""
    import numpy as np

    contract = ports.read_contract(request.inputs["imported"])
    samples = ports.read_samples(request.inputs["samples"], contract["inputs"])
    model = open_model(request, contract, None)
    found = model.layers({name: array[0] for name, array in samples.items()})
    numbered = {str(index): np.asarray(value) for index, value in enumerate(found.values())}
    ports.write_npz(Path(request.out, "layers.npz"), numbered)
    return {"layers": list(found), "tool": model.tool}


def time(request: Request, open_model: Open) -> Dict[str, Any]:
    """source, imported, samples -> seconds of each run on sample 0. params: handle, warmup, runs, threads.

    The model stays open under the handle, so that the host can take turns between candidates.
    """
    handle = request.params["handle"]
    if handle not in _HELD:
        _HELD[handle] = _Held(request, open_model)
    held = _HELD[handle]
    for _ in range(int(request.params.get("warmup", 0))):
        held.model.run(held.feeds)
    seconds = []
    for _ in range(int(request.params.get("runs", 1))):
        started = clock.perf_counter()
        held.model.run(held.feeds)
        seconds.append(clock.perf_counter() - started)
    return {
        "seconds": seconds,
        "load_seconds": held.load_seconds,
        "first_seconds": held.first_seconds,
        "peak_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "tool": held.model.tool,
    }


class _Held:
    """A loaded model, and what it is fed with."""

    def __init__(self, request: Request, open_model: Open) -> None:
        started = clock.perf_counter()
        contract = ports.read_contract(request.inputs["imported"])
        samples = ports.read_samples(request.inputs["samples"], contract["inputs"])
        self.feeds = {name: array[0] for name, array in samples.items()}
        self.model = open_model(request, contract, int(request.params.get("threads", 1)))
        self.load_seconds = clock.perf_counter() - started
        started = clock.perf_counter()
        self.model.run(self.feeds)
        self.first_seconds = clock.perf_counter() - started


_HELD: Dict[str, _Held] = {}
