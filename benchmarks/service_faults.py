"""Does every accepted job end once, with the right result, while what runs it is killed?

    python benchmarks/service_faults.py --minutes 30 --seed 1
    python benchmarks/service_faults.py --minutes 30 --executor ray --nodes 3 --open 6
    python benchmarks/service_faults.py --minutes 60 --every 0 --rest 20       # nothing is killed: a soak

A real service (`dlpipe serve`, its workers, by default on a real PostgreSQL server) converts small models without a
pause, while at random moments a worker, the server or the database is killed with SIGKILL and started again. Each
model was converted once before, undisturbed: the artefacts have to have those digests.

With `--executor ray` (as root: it makes network namespaces) the stages are computed by a Ray cluster of `--nodes`
machines, a head, and a desk where the workers run; these are killed too, the whole machine or Ray's own process
(raylet; of the head, the one that knows the nodes). The head not more often than `--head-every` says: its death ends
every job's process, which counts as a fault of the machinery, and three without a stage finished give a job up.

Prints JSON; exit code 1 where a job was lost, ended twice, ended otherwise or holds something else. Memory is that of
the server and of its workers, without the jobs' own processes, of the one of each that lived longest: flat where a
line through it, after the first fifth, rises by less than a twentieth over the time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from benchmarks.service_cluster import Tended
from benchmarks.service_memory import Memory
from benchmarks.service_supervised import Supervised
from dlpipe.errors import DlpipeError, ToolMissing
from dlpipe.service.client import Client
from dlpipe.toolchains import Toolchains
from tests.pipeline.postgresql_server import running

ASKED: dict[str, Any] = {"target": "x86-64", "backends": ["onnxruntime"], "precision": "fp32"}
VICTIMS = ("worker", "server", "postgresql")
OFTEN = ("node", "node", "desk", "head")  # besides, of a cluster
_MAKE = """
import sys, numpy, onnx
from onnx import numpy_helper, parser
for number in range(int(sys.argv[1])):
    model = parser.parse_model('<ir_version: 8, opset_import: ["" : 17]> '
        'net (float[1, 8] x) => (float[1, 4] y) { h = MatMul(x, w) y = Relu(h) }')
    weights = numpy.random.default_rng(number).standard_normal((8, 4), dtype=numpy.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    onnx.save(model, f"{sys.argv[2]}/model{number}.onnx")
"""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two kills in the mean; 0: none")
    parser.add_argument("--models", type=int, default=4, help="that differ")
    parser.add_argument("--open", type=int, default=4, help="jobs that wait or run at a time")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--lease", type=float, default=5.0, help="seconds")
    parser.add_argument("--rest", type=float, default=0.0, help="seconds between two submissions, at least")
    parser.add_argument("--executor", choices=("local", "ray"), default="local")
    parser.add_argument("--nodes", type=int, default=3, help="of the Ray cluster, that compute")
    parser.add_argument(
        "--head-every", type=float, default=300.0, help="seconds between two kills of the head, at least"
    )
    parser.add_argument("--sqlite", action="store_true", help="in place of PostgreSQL")
    options = parser.parse_args(arguments)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        models = make_models(folder, options.models)
        repository = Path(__file__).resolve().parents[1]
        database = None if options.sqlite else stack.enter_context(running(repository, made(folder / "postgresql")))
        cluster = None
        if options.executor == "ray":
            chance = random.Random(options.seed)
            cluster = Tended(made(folder / "cluster"), options.nodes, options.workers, options.lease, chance)
        service = Supervised(made(folder / "service"), options.workers, options.lease, database, cluster)
        stack.callback(service.stop)
        service.begin()
        figures = Story(service, models, folder, options).run()
        if cluster is not None:
            figures["machines_that_did_not_start"] = cluster.not_started
    print(json.dumps(figures, indent=2))
    return 0 if figures["right"] == figures["accepted"] else 1


class Story:
    """`_accepted`: job -> (its model, the team's token)."""

    def __init__(self, service: Supervised, models: list[Path], folder: Path, options: argparse.Namespace) -> None:
        self._service, self._models, self._folder, self._options = service, models, folder, options
        self._accepted: dict[str, tuple[int, str]] = {}
        self._done: set[str] = set()
        self._clients: dict[str, Client] = {}
        self._kills: Counter[str] = Counter()
        self._memory = Memory()
        self._head_killed = 0.0
        self._began = time.monotonic()
        self._random = random.Random(options.seed)
        self._over = threading.Event()

    def run(self) -> dict[str, Any]:
        wanted = {number: self._digests(self._submit(number, self._team()), number) for number in self._numbers()}
        self._accepted.clear()
        threads = [threading.Thread(target=self._keep_busy), threading.Thread(target=self._watch)]
        begun = self._began = time.monotonic()
        for thread in threads:
            thread.start()
        while (left := begun + self._options.minutes * 60 - time.monotonic()) > 0:
            if self._options.every:
                self._over.wait(min(left, self._random.expovariate(1 / self._options.every)))
                if begun + self._options.minutes * 60 > time.monotonic():
                    self._kill()
            else:
                self._over.wait(left)
        disturbed = time.monotonic() - begun
        self._over.set()
        for thread in threads:
            thread.join()
        return {**self._judged(wanted), **self._told(disturbed)}

    def _numbers(self) -> range:
        return range(len(self._models))

    def _client(self, token: str) -> Client:
        if token not in self._clients:
            self._clients[token] = self._service.client(token)
        return self._clients[token]

    def _team(self) -> str:
        """The token of a new team: it has a cache of its own, so everything is computed anew."""
        return self._service.new_token()

    def _submit(self, number: int, token: str) -> str:
        job: str = self._client(token).submit(self._models[number], **ASKED)["id"]
        self._accepted[job] = (number, token)
        return job

    def _keep_busy(self) -> None:
        token, number, submitted = self._team(), 0, -self._options.rest
        while not self._over.is_set():
            if (left := submitted + self._options.rest - time.monotonic()) > 0:
                self._over.wait(min(left, 1.0))
                continue
            waiting = [job for job, (_, its) in self._accepted.items() if not self._ended(job, its)]
            if len(waiting) >= self._options.open:
                self._over.wait(1.0)
                continue
            if number % len(self._models) == 0:
                token = self._team()
            submitted = time.monotonic()
            self._submit(number % len(self._models), token)
            number += 1

    def _ended(self, job: str, token: str) -> bool:
        if job not in self._done and self._client(token).job(job)["finished"] is not None:
            self._done.add(job)
        return job in self._done

    def _kill(self) -> None:
        victims = [each for each in VICTIMS if each != "postgresql" or not self._options.sqlite]
        victims += OFTEN if self._options.executor == "ray" else ()
        now = time.monotonic()
        if now - self._head_killed < self._options.head_every:
            victims = [each for each in victims if each != "head"]
        victim = self._random.choice(victims)
        if what := self._service.kill(victim, self._random):
            self._kills[what] += 1
            print(f"{now - self._began:6.0f} s: killed {what}", file=sys.stderr, flush=True)
            if victim == "head":
                self._head_killed = now

    def _watch(self) -> None:
        while not self._over.wait(5.0):
            seconds = time.monotonic() - self._began
            with suppress(OSError):
                self._memory.sample(seconds, "server", [self._service.process_id()])
                self._memory.sample(seconds, "worker", self._service.workers())

    def _digests(self, job: str, number: int) -> dict[str, str]:
        """Of its artefact, once it has succeeded. Raises AssertionError."""
        _, token = self._accepted[job]
        client = self._client(token)
        ended = client.wait(job)
        assert ended["state"] == "succeeded", f"{job} of model {number}: {ended}"
        out = self._folder / "out" / job
        client.fetch(job, out)
        files = json.loads((out / "manifest.json").read_bytes())["files"]
        return {name: each["sha256"] for name, each in files.items() if name.endswith(".onnx")}

    def _judged(self, wanted: dict[int, dict[str, str]]) -> dict[str, Any]:
        right, faults, attempts = 0, [], Counter[int]()
        for job, (number, token) in self._accepted.items():
            try:
                found = self._digests(job, number)
            except (AssertionError, DlpipeError) as error:
                faults.append(str(error))
                continue
            states = [each["state"] for each in self._service.events(job, token) if each["event"] == "JobState"]
            attempts[self._client(token).job(job)["attempt"]] += 1
            if found != wanted[number] or not found:
                faults.append(f"{job}: other files than undisturbed")
            elif states.count("succeeded") != 1 or states[-1] != "succeeded":
                faults.append(f"{job}: {states}")
            else:
                right += 1
        return {"accepted": len(self._accepted), "right": right, "faults": faults, "attempts": dict(attempts)}

    def _told(self, seconds: float) -> dict[str, Any]:
        return {
            "minutes": round(seconds / 60, 1),
            "killed": dict(self._kills),
            "seed": self._options.seed,
            "server_memory": self._memory.told("server"),
            "worker_memory": self._memory.told("worker"),
            "load_average": round(os.getloadavg()[0], 1),
        }


def made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


def make_models(folder: Path, count: int) -> list[Path]:
    """Alike but for their weights. Raises ToolMissing."""
    python = Toolchains().ensure("core").root / "bin" / "python"
    made = subprocess.run([python, "-c", _MAKE, str(count), folder], capture_output=True, text=True, check=False)
    if made.returncode:
        raise ToolMissing(f"the models were not made: {made.stderr}")
    return [folder / f"model{number}.onnx" for number in range(count)]


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
