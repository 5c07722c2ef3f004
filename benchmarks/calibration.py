"""What calibration costs: its peak memory on 10 and on 10,000 samples, and its time against bare forward passes.

Run it as `python benchmarks/calibration.py MODEL.onnx [...] [--rounds N]`; `dlpipe optimize MODEL -o MODEL.onnx` makes
one of any model. Samples are made up; what is in them does not matter here.

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
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from dlpipe import ir as ir_room
from dlpipe import passes as passes_room
from dlpipe.contracts.call import Call, Limits
from dlpipe.ir.calls import import_call
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool

WORKER = Path(__file__).parent / "calibrating" / "worker.py"
LIBRARIES = tuple(Path(str(room.__file__)).parent for room in (ir_room, passes_room))
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


def report(runner: Runner, path: Path, rounds: int, stock_samples: int) -> None:
    source = runner.folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir()
    shutil.copy(path, source / "model.onnx")
    _, ir = runner(import_call("model.onnx"), source=source)
    print(f"{path.name}: load {os.getloadavg()[0]:.1f}")
    peaks: dict[tuple[str, int], int] = {}
    for count in (FEW, MANY):
        _, samples = runner(measure("make", count=count), ir=ir)
        for way in ("idle", "ours"):
            peaks[way, count] = runner(measure("peak", way=way), ir=ir, samples=samples)[0]
        if count == FEW:
            _, stocked = runner(measure("make", count=stock_samples), ir=ir)
        else:
            shutil.rmtree(samples)
    few, many = (peaks["ours", count] for count in (FEW, MANY))
    print(f"  peak memory, whole process: {few / 1e6:.1f} MB with {FEW} samples, {many / 1e6:.1f} MB with {MANY:,}")
    print(f"  ratio {many / few:.3f}; above an idle session: {(few - peaks['idle', FEW]) / 1e6:.1f} MB, ", end="")
    print(f"{(many - peaks['idle', MANY]) / 1e6:.1f} MB")
    for way in ("stock MinMax", "stock Entropy", "ours"):
        peak = runner(measure("peak", way=way), ir=ir, samples=stocked)[0] - peaks["idle", FEW]
        print(f"  {way}, {stock_samples} samples: {peak / 1e6:.1f} MB above an idle session")
    _, samples = runner(measure("make", count=TIMED), ir=ir)
    timed, _ = runner(measure("time_all", rounds=rounds), ir=ir, samples=samples)
    for bare in ("bare, one by one", "bare, in batches"):
        ratios = {
            way: statistics.median(a / b for a, b in zip(seconds, timed[bare], strict=True))
            for way, seconds in timed.items()
            if not way.startswith("bare")
        }
        print(f"  time over {bare}: " + ", ".join(f"{way} {ratio:.2f}" for way, ratio in ratios.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--stock-samples", type=int, default=100, help="that the stock calibrator's memory is taken on")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for path in options.models:
            report(Runner(Path(folder)), path, options.rounds, options.stock_samples)


if __name__ == "__main__":
    main()
