"""TensorRT's own search for faster kernels, and the cache of their times, from which later builds profit.

A model is built as always and once more at the highest level of optimisation, and both are timed by turns. The cache
goes into dlpipe's records as an operator of its own that no model counts; what it gains, the networks' entries say.
Nothing of this could be run where it was written: it needs an NVIDIA GPU with TensorRT's libraries.
"""

import base64
import hashlib
import json
import statistics
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Request, operation

from ..kit import artifact, executing
from . import building, engine, loading

CACHE = "timing-cache"
_LEVEL = 5  # of 0 to 5: every kernel is compared
_TURNS, _RUNS = 10, 20


@operation
def workloads(request: Request) -> object:
    """ir -> {digest of the network: {name, count}}, and the cache, of which every network has a part."""
    whole = {"name": "the network as a whole", "count": 1}
    return {_network(Path(request.inputs["ir"])): whole, CACHE: {"name": "times of kernels", "count": 0}}


def _network(ir: Path) -> str:
    total = hashlib.sha256()
    for file in sorted(ir.glob("model.onnx*")):
        total.update(file.read_bytes())
    return total.hexdigest()


@operation
def tune(request: Request) -> object:
    """ir, records -> records.json. One round is all: TensorRT's search cannot be interrupted. params: capability."""
    started = time.monotonic()
    known = json.loads(Path(request.inputs["records"], "records.json").read_text(encoding="utf-8"))
    trt, tool = loading.load("full")
    ir = Path(request.inputs["ir"])
    plain = building.engine(trt, ir, None)
    request.progress("searching", 0.2)
    effort = building.Effort(_LEVEL, _cached(known.get(CACHE, {}).get("chosen")))
    searched = building.engine(trt, ir, None, effort)
    request.progress("comparing", 0.8)
    before, after = _compared(request, tool, plain, searched)
    found: dict[str, Any] = {
        _network(ir): {
            "spent": time.monotonic() - started,
            "tried": 1,
            "rule_seconds": before,
            "chosen": {"level": _LEVEL},
            "ratio": after / before,
        }
    }
    if effort.cache:
        # The larger cache knows more kernels, and records keep what has the smallest ratio.
        kept = base64.b64encode(effort.cache).decode("ascii")
        found[CACHE] = {"chosen": {"cache": kept}, "ratio": -float(len(effort.cache))}
    Path(request.out, "records.json").write_text(json.dumps(found, sort_keys=True) + "\n", encoding="utf-8")
    return {"finished": True}


def effort_of(request: Request) -> "building.Effort | None":
    """What a search has found to be worth it, for a compilation. None where there was none."""
    if "records" not in request.inputs:
        return None
    chosen = json.loads(Path(request.inputs["records"], "chosen.json").read_text(encoding="utf-8"))
    level = next((each["level"] for each in chosen.values() if "level" in each), None)
    return building.Effort(level, _cached(chosen.get(CACHE)))


def _cached(kept: Mapping[str, str] | None) -> bytes:
    return base64.b64decode(kept["cache"]) if kept else b""


def _compared(request: Request, tool: str, *engines: bytes) -> tuple[float, ...]:
    """Median seconds of a run of each, by turns."""
    contract = artifact.contract(request)
    name, _, version = tool.partition(" ")
    about = {
        "capability": request.params["capability"],
        "kind": "full",
        "entry": "model.engine",
        "runtime": {"name": name, "version": version},
        "inputs": contract["inputs"],
        "outputs": contract["outputs"],
    }
    with tempfile.TemporaryDirectory() as folder:
        models = []
        for number, content in enumerate(engines):
            place = Path(folder, str(number))
            place.mkdir()
            (place / "model.engine").write_bytes(content)
            (place / "run.json").write_text(json.dumps(about), encoding="utf-8")
            models.append(engine.Model(str(place)))
        feeds = {port["name"]: _zeros(port) for port in contract["inputs"]}
        seconds: list[list[float]] = [[] for _ in models]
        for _ in range(_TURNS):
            for model, times in zip(models, seconds, strict=True):
                times += _times(model, feeds)
    return tuple(statistics.median(times) for times in seconds)


def _zeros(port: Mapping[str, Any]) -> executing.Array:
    return np.zeros([dim if isinstance(dim, int) else 1 for dim in port["shape"]], port["dtype"])


def _times(model: executing.Model, feeds: executing.Arrays) -> list[float]:
    found = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        model.run(feeds)
        found.append(time.perf_counter() - started)
    return found[1:]
