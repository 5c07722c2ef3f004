"""What calibration costs: its peak memory on 10 and on 10,000 samples, and its time against bare forward passes.

Run it as `python benchmarks/calibration.py MODEL.onnx [...] [--rounds N]`; `dlpipe optimize MODEL -o MODEL.onnx` makes
one of any model. Samples are made up; what is in them does not matter here. Figures go into
benchmarks/results/calibration.json, from which `passes_table.py --page` writes its part of docs/passes.md.

"Bare" runs the same samples through the model and keeps nothing: one at a time, as they are fed, and in the batches
that calibration takes where a model's batch dim is free. "Stock" is the calibrator of onnxruntime.quantization. Each
memory is of a process of its own (the kernel's peak), less what the same process needs for loading the tools and a
session. Times are of the processor, not the clock; the rounds are interleaved, and ratios are medians over rounds.
Goals: the memory of 10,000 samples within 5 % of that of 10, the time at most 1.5 of the bare passes. "Ends only"
(min-max) looks at every sample of every tensor; much of what it takes beyond the bare passes is the runtime's: a tensor
that is looked at cannot be fused away, and leaves its blocked layout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comparison import costs

from dlpipe import ir as ir_room
from dlpipe import passes as passes_room
from dlpipe.contracts.call import Call, Limits
from dlpipe.ir.calls import import_call
from dlpipe.measure.machine import fingerprint, machine_name
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool

WORKER = Path(__file__).parent / "calibrating" / "worker.py"
LIBRARIES = tuple(Path(str(room.__file__)).parent for room in (ir_room, passes_room))
RESULTS = Path(__file__).parent / "results" / costs.CALIBRATION
FEW, MANY, TIMED = 10, 10_000, 200


class Runner:
    """Every call in a new process, so that each has a peak of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._toolchains = Toolchains()

    def __call__(self, call: Call, **inputs: Path) -> tuple[Any, Path]:
        work = Path(tempfile.mkdtemp(dir=self.folder))
        with WorkerPool(self._toolchains, work / "workers", keep_logs=work / "logs") as pool:
            return pool.run(call, inputs, work / "out"), work / "out"


def measure(operation: str, **params: Any) -> Call:
    return Call("core", WORKER, operation, params, libraries=LIBRARIES, limits=Limits(wall_seconds=7200))


def measured(runner: Runner, path: Path, rounds: int, stock_samples: int) -> dict[str, Any]:
    """A record as comparison/costs.py takes it."""
    source = runner.folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    shutil.copy(path, source / "model.onnx")
    _, ir = runner(import_call("model.onnx"), source=source)
    load = os.getloadavg()[0]
    peaks: dict[str, int] = {}
    for count in (FEW, MANY):
        _, samples = runner(measure("make", count=count), ir=ir)
        peaks[str(count)] = runner(measure("peak", way="ours"), ir=ir, samples=samples)[0]
        shutil.rmtree(samples)
    _, stocked = runner(measure("make", count=stock_samples), ir=ir)
    whole = {
        way: runner(measure("peak", way=way), ir=ir, samples=stocked)[0]
        for way in ("idle", "ours", "stock MinMax", "stock Entropy")
    }
    _, samples = runner(measure("make", count=TIMED), ir=ir)
    timed, _ = runner(measure("time_all", rounds=rounds), ir=ir, samples=samples)
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine_name(fingerprint()),
        "load": load,
        "peak": peaks,
        "beyond": {way: peak - whole["idle"] for way, peak in whole.items() if way != "idle"},
        "times": {bare: _ratios(timed, f"bare, {bare}") for bare in ("one by one", "in batches")},
    }


def _ratios(timed: Mapping[str, list[float]], bare: str) -> dict[str, float]:
    """Medians over the rounds, which are interleaved."""
    return {
        way: statistics.median(a / b for a, b in zip(seconds, timed[bare], strict=True))
        for way, seconds in timed.items()
        if not way.startswith("bare")
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stock-samples", type=int, default=100, help="that the stock calibrator's memory is taken on")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    found = json.loads(options.results.read_text(encoding="utf-8")) if options.results.exists() else {"models": {}}
    with tempfile.TemporaryDirectory() as folder:
        for path in options.models:
            record = measured(Runner(Path(folder)), path, options.rounds, options.stock_samples)
            for said in zip(costs.CALIBRATED, costs.calibrated(path.stem, record), strict=True):
                print(": ".join(said), flush=True)
            found["models"][path.stem] = record
            found |= {"stock_samples": options.stock_samples, "timed": TIMED}
            options.results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
