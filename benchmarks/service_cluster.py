"""A Ray cluster for a service under faults: what dies is started again, as an operator's supervisor does.

Its machines (see `tests/pipeline/cluster/machines.py`): a head, which computes nothing; a desk, a node without
processors, where the service's workers run; and nodes that compute. Ray is started again on a machine where it ended.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from dlpipe.errors import ToolMissing
from dlpipe.toolchains.jail.tree import processes
from tests.pipeline.cluster import machines
from tests.service.running import command_of, eventually

DESK = "desk"
OF_A_CLUSTER = ("node", "desk", "head")
_DESK_NUMBER, _FIRST_NUMBER = 2, 3
_AWAY_SECONDS = 5.0  # at most, until a machine that was killed is started again


class Tended:
    """Machines that die, and workers, are followed by others. nodes: how many that compute: 1 or 2 processors each."""

    def __init__(self, folder: Path, nodes: int, workers: int, lease: float, chance: random.Random) -> None:
        if (reason := machines.why_not()) is not None:
            raise ToolMissing(f"no cluster on this machine, {reason}")
        self._temporary = Path(tempfile.mkdtemp(prefix="dlpipe-ray-", dir="/tmp"))  # Ray's sockets bear no long path
        self._cluster = machines.Cluster(folder, self._temporary, machines.environment(), again=True)
        self._nodes = [f"node{number}" for number in range(nodes)]
        self._log = folder / "workers.log"
        self._command = [sys.executable, "-m", "dlpipe", "worker", "--lease", f"{lease:g}"]
        self._command += ["--executor", f"ray://{machines.ADDRESS}"]
        self._chance = chance
        self._workers: list[subprocess.Popen[bytes] | None] = [None] * workers
        self._threads: list[threading.Thread] = []
        self._stop, self._head_is_there = threading.Event(), threading.Event()
        self.not_started: list[str] = []

    def start(self, environment: Mapping[str, str]) -> None:
        """Return once all nodes are there. environment: of the workers, besides this process'."""
        self._cluster.connect()
        self._begin(self._keep_head)
        self._begin(self._keep_node, DESK, _DESK_NUMBER, "--num-cpus=0")
        for index, name in enumerate(self._nodes):
            resources = (f"--num-cpus={1 + index % 2}", f"--memory={6 + 6 * (index % 2)}000000000")
            self._begin(self._keep_node, name, _FIRST_NUMBER + index, *resources)
        for name in (DESK, *self._nodes):
            eventually(partial(self._cluster.machines.get, name))
        for index in range(len(self._workers)):
            self._begin(self._keep_worker, index, environment)

    def stop(self) -> None:
        self._stop.set()
        self._cluster.end()
        for thread in self._threads:
            thread.join()
        self._cluster.end()  # what a thread had just started

    def workers(self) -> list[int]:
        """The process ids of those that run."""
        entered = [each for each in self._workers if each is not None and each.poll() is None]
        return [worker for each in entered for worker in machines.children(each.pid)]

    def kill(self, victim: str) -> str | None:
        """`node`, `desk` or `head`: the whole machine with all that runs there, or Ray's own process alone. Returns
        which, None where it is not there just now."""
        name = self._chance.choice(self._nodes) if victim == "node" else victim
        machine = self._cluster.head if name == "head" else self._cluster.machines.get(name)
        if machine is None or machine.maker.poll() is not None:
            return None
        whole = self._chance.random() < 0.5
        with suppress(OSError, StopIteration):
            if whole:
                machine.maker.kill()
            else:
                os.kill(self._gcs(machine) if name == "head" else machine.raylet(), signal.SIGKILL)
            return f"{victim} ({'machine' if whole else 'process'})"
        return None

    def _gcs(self, machine: machines.Machine) -> int:
        found = {each: command_of(each).partition(" ")[0] for each in processes(machine.init)}
        return next(each for each, program in found.items() if program.endswith("gcs/gcs_server"))

    def _begin(self, work: Callable[..., None], *args: object) -> None:
        """A machine ends with the thread that started it, so each has one of its own."""
        self._threads.append(threading.Thread(target=work, args=args, daemon=True))
        self._threads[-1].start()

    def _keep_head(self) -> None:
        while not self._stop.is_set():
            with self._noted("head"):
                self._cluster.start()
                self._head_is_there.set()
                self._until_it_ends(self._cluster.head)
                self._head_is_there.clear()

    def _keep_node(self, name: str, number: int, *resources: str) -> None:
        while not self._stop.is_set():
            if self._head_is_there.wait(1.0):
                with self._noted(name):
                    self._cluster.add(name, number, *resources)
                    self._until_it_ends(self._cluster.machines[name])

    def _keep_worker(self, index: int, environment: Mapping[str, str]) -> None:
        while not self._stop.is_set():
            command = self._cluster.command(*self._command, machine=DESK)
            given = {**os.environ, **self._cluster.environment, **environment}
            with self._log.open("ab") as log:
                self._workers[index] = process = subprocess.Popen(
                    command, env=given, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            while process.poll() is None and not self._stop.wait(0.2):
                pass
            self._stop.wait(1.0)

    def _until_it_ends(self, machine: machines.Machine | None) -> None:
        assert machine is not None
        while machine.maker.poll() is None and not self._stop.wait(0.2):
            pass
        self._stop.wait(random.uniform(0, _AWAY_SECONDS))

    @contextmanager
    def _noted(self, name: str) -> Iterator[None]:
        """A start that failed is tried again; the figures tell of it."""
        try:
            yield
        except AssertionError as error:
            self.not_started.append(f"{name}: {error}"[:300])
