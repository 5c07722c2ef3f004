"""dlpipe's own overhead: a cold and a warm `convert` against the bare sum of the tools' times for the same steps.

Run it as `python benchmarks/overhead.py [--model MODEL] [--data DATA] [--target T] [--rounds N]`; the default is the
zoo's MLPerf Tiny keyword net with its data, for arm64.

"Bare" replays every stage that the cold run computed: the same operation on the same inputs, in a plain process of the
same toolchain's interpreter; no jail, no store, no hashing, one warm process per toolchain, one stage after the other.
Every round starts new processes with a new temporary folder: what a tool keeps there (a compiler's cache) would else be
made in the first round only, and in every cold run. What is timed by choice and not by need (the timing stage) is left
out on both sides. dlpipe may use several processors where the bare run uses what one tool at a time does: it is the sum
that a script of these tools would take, and the goal counts what a user waits for. Rounds are interleaved; each is
printed with the machine's load, since a ratio on a busy machine is worth little.
Goals: cold at most 1.10 of the bare sum, warm (all from the cache) at most 2 s, host memory under 150 MB.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dlpipe.pipeline.store import Record, Store
from dlpipe.toolchains.manager import Toolchains, default_cache_dir

PACKAGE = Path(__file__).parents[1] / "dlpipe"
RUNTIME = PACKAGE / "toolchains" / "runtime" / "dlpipe_worker.py"
HOST = (
    "import resource, sys\n"
    "from dlpipe.cli.main import run\n"
    "try:\n    run()\nfinally:\n"
    "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=open({path!r}, 'w'))\n"
)


def convert(cache: Path, work: Path, model: str, options: list[str]) -> tuple[float, int]:
    """Wall seconds and the host's peak memory in bytes."""
    memory = work / "memory"
    command = [sys.executable, "-c", HOST.format(path=str(memory)), "convert", model, "--yes", *options]
    started = time.perf_counter()
    subprocess.run(
        command,
        cwd=work,
        env={**os.environ, "DLPIPE_CACHE_DIR": str(cache)},
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - started, int(memory.read_text()) * 1024


def stages(cache: Path) -> tuple[list[Record], float]:
    """The records of the newest run, in the order in which they were made; and the seconds of its timing stage."""
    newest = max((cache / "runs").iterdir())
    keys = {each["key"] for each in json.loads((newest / "stages.json").read_text()).values()}
    records = [record for record in Store(cache / "store").records() if record.key in keys]
    timing = sum(record.seconds for record in records if "operation" not in record.parts)
    return [record for record in records if "operation" in record.parts], timing


class Bare:
    """One plain process of a toolchain."""

    def __init__(self, toolchains: Toolchains, name: str, scratch: Path) -> None:
        environment = toolchains.ensure(name)
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [str(environment.python), "-s", "-B", str(RUNTIME), str(theirs.fileno()), "{}"],
            pass_fds=[theirs.fileno()],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "PYTHONHASHSEED": "0", "TMPDIR": str(scratch)},
        )
        theirs.close()
        self.channel = ours.makefile("rw", encoding="utf-8")
        self.channel.readline()

    def run(self, request: dict[str, Any]) -> None:
        self.channel.write(json.dumps(request) + "\n")
        self.channel.flush()
        while True:
            event = json.loads(self.channel.readline())
            if event["event"] == "failed":
                raise RuntimeError(event["message"])
            if event["event"] == "result":
                return


def bare(cache: Path, records: list[Record]) -> float:
    """Seconds of all steps, process starts included, the laying out of inputs not."""
    toolchains, store = Toolchains(), Store(cache / "store")
    total, processes = 0.0, {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder, "tmp")
        scratch.mkdir()
        for number, record in enumerate(sorted(records, key=lambda each: each.created)):
            name = next(iter(record.parts["toolchain"]))
            place = Path(folder) / str(number)
            inputs = {}
            for key, digest in record.parts["inputs"].items():
                store.checkout(digest, place / "in" / key, link=False)
                inputs[key] = str(place / "in" / key)
            (place / "out").mkdir(parents=True)
            resources = {each: str(toolchains.ensure(each).root) for each in record.parts["resources"]}
            worker = next(PACKAGE.rglob(record.parts["worker"]))
            started = time.perf_counter()
            if name not in processes:
                processes[name] = Bare(toolchains, name, scratch)
            processes[name].run(
                {
                    "id": number,
                    "worker": str(worker),
                    "operation": record.parts["operation"],
                    "params": record.parts["params"],
                    "inputs": inputs,
                    "out": str(place / "out"),
                    "resources": resources,
                }
            )
            total += time.perf_counter() - started
        for process in processes.values():
            process.process.kill()
            process.process.wait()
    return total


def main(model: str, options: list[str], rounds: int) -> None:
    cold, warm, tools, memory = [], [], [], []
    for number in range(1, rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            cache, work = Path(folder) / "cache", Path(folder) / "work"
            cache.mkdir()
            work.mkdir()
            (cache / "toolchains").symlink_to(default_cache_dir() / "toolchains")
            wall, used = convert(cache, work, model, options)
            records, timing = stages(cache)
            cold.append(wall - timing)
            memory.append(used)
            warm.append(convert(cache, work, model, options)[0])
            tools.append(bare(cache, records))
        found = f"cold {cold[-1]:.2f} s, bare {tools[-1]:.2f} s, ratio {cold[-1] / tools[-1]:.2f}"
        print(f"round {number}: {found}, warm {warm[-1]:.2f} s, load {os.getloadavg()[0]:.1f}", flush=True)
    ratio = statistics.median(c / t for c, t in zip(cold, tools, strict=True))
    print(f"stages replayed       {len(records)}")
    print(f"bare sum of the tools {statistics.median(tools):.2f} s")
    print(f"dlpipe, cold          {statistics.median(cold):.2f} s, {ratio:.2f} of the bare sum   (goal 1.10)")
    print(f"dlpipe, warm          {statistics.median(warm):.2f} s   (goal 2)")
    print(f"host's peak memory    {max(memory) / 1e6:.0f} MB   (goal 150)")
    print(f"this script's own     {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="zoo:mlperf-tiny-kws")
    parser.add_argument("--data", default=str(PACKAGE.parent / "zoo" / "mlperf-tiny-kws" / "features.npz"))
    parser.add_argument("--target", default="arm64")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    main(chosen.model, ["-t", chosen.target, *(["--data", chosen.data] if chosen.data else [])], chosen.rounds)
