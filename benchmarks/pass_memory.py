"""What an exact pass on a model with large weights needs: the peak memory of worker and host, and its time.

Run it as `python benchmarks/pass_memory.py [--gigabytes N] [--scaled K] [--passes NAMES]`. It makes a model of N GB
whose weights lie in a file of their own, and runs each pass on it as a stage: inputs laid out, worker in the jail,
result taken into the store. A large file is hashed when it is laid out for the first time in a run, not for each
pass: that time is told by itself. Before each pass onnx_ir loads and saves the same model once in the same worker,
with nothing else around it: that is the unit of time, measured anew for each pass since the load of a machine
changes. Memory is the sum of resident pages of all processes of the worker, mapped files included, polled; and the
same of this process.
Goals: 1 GiB each, at most twice a load and save. Figures go into benchmarks/results/pass_memory.json, in the place of
those that are there, from which `passes_table.py --page` writes its part of docs/passes.md.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comparison import costs

from dlpipe.contracts.call import Call
from dlpipe.passes.known import exact
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.toolchains.manager import default_cache_dir

MAKER = Path(__file__).with_name("large_model") / "worker.py"
PAGE = os.sysconf("SC_PAGE_SIZE")
POLL = 0.02  # seconds


class Memory:
    """Peaks in bytes since `reset`."""

    def __init__(self) -> None:
        self.host = self.worker = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def reset(self) -> None:
        self.host = self.worker = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        self._thread.start()
        yield
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(POLL):
            self.host = max(self.host, resident(os.getpid()))
            self.worker = max(self.worker, sum(map(resident, below(os.getpid()))))


def resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


def below(pid: int) -> Iterator[int]:
    """All processes that descend from `pid`."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return
    for child in (int(word) for each in lists for word in each.split()):
        yield child
        yield from below(child)


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def main(gigabytes: float, scaled: int, names: list[str], results: Path) -> None:
    memory = Memory()
    with memory.watching(), Session() as session:
        executor = session.executor
        executor.run([Stage("made", "source", Call("core", MAKER, "make", {"gigabytes": gigabytes, "scaled": scaled}))])
        laid_out = Path(session.folder) / "laid-out"
        hashed = timed(lambda: session.store.checkout(executor.outcomes["made"].output, laid_out, link=True))
        found: dict[str, Any] = {
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": session.machine,
            "gigabytes": gigabytes,
            "weights": executor.outcomes["made"].value["weights"],
            "laid_out": hashed,
            "passes": {},
        }
        print(" | ".join(costs.PASSED))
        for name in names:
            baseline = Call("core", MAKER, "load_and_save", {"for": name})
            with executor.pool.worker("core") as worker:
                place = worker.place()
                session.store.checkout(executor.outcomes["made"].output, place.inputs / "ir", link=False)
                unit = worker.call(baseline, place)["seconds"]
            memory.reset()
            stage = Stage(name, "pass", pass_call(name), {"ir": "made"})
            seconds = timed(lambda: executor.run([stage]))  # noqa: B023 - runs at once
            found["passes"][name] = {
                "modified": executor.outcomes[name].value["modified"],
                "unit": unit,
                "seconds": seconds,
                "worker": memory.worker,
                "host": memory.host,
                "load": os.getloadavg()[0],
            }
            print(" | ".join(costs.passed(name, found["passes"][name])), flush=True)
            results.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--scaled", type=int, default=4, help="every how-many-th weight is changed by fold-batchnorm")
    parser.add_argument("--passes", default=",".join(info.name for info in exact.PASSES))
    parser.add_argument("--folder", default=None, help="where to work; default: the system's temporary folder")
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results" / costs.MEMORY)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as folder:
        (Path(folder) / "toolchains").symlink_to(default_cache_dir() / "toolchains")
        os.environ["DLPIPE_CACHE_DIR"] = folder
        main(chosen.gigabytes, chosen.scaled, chosen.passes.split(","), chosen.results)
