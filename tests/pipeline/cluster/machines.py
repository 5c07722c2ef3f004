"""A Ray cluster of several machines, as far as one machine can have them: a node has processes, network, mounts and a
name of its own (namespaces), and shares the file system. They are joined by a bridge in the head's network.

A node ends, with all that runs on it, when the process ends that made its namespaces; and that ends with the test.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from dlpipe.toolchains.jail.tree import processes
from dlpipe.toolchains.manager import default_cache_dir
from tests.service.running import command_of, eventually

RAY = str(Path(sys.executable).with_name("ray"))
ADDRESS = "10.77.0.1:6379"
_TRIES = 5  # Ray gives a node half a minute to start, which a busy machine may not have for it
_STARTED = "Ray runtime started."
_NAMESPACES = ("--net", "--pid", "--mount", "--uts")
_PR_SET_PDEATHSIG = 1

_SCRIPT = """\
set -e
hostname {name}
mkdir -p {temporary}
mount -t tmpfs tmpfs {temporary}
ip link set lo up
until ip link show dev0 >/dev/null 2>&1; do sleep 0.05; done
ip addr add 10.77.0.{number}/24 dev dev0
ip link set dev0 up
ip route add default dev dev0
{start}
"""
_ONCE = "exec {start}"
_AGAIN = "while :; do {start} || :; sleep 1; done"


def why_not() -> str | None:
    """Why this machine cannot play several."""
    if os.geteuid() != 0:
        return "not run: a cluster of namespaces needs root"
    bridge = ["ip", "link", "add", "dev0", "type", "bridge"]
    try:
        tried = subprocess.run(
            ["unshare", *_NAMESPACES, "--fork", "--mount-proc", *bridge], capture_output=True, text=True, check=False
        )
    except OSError as error:
        return f"not run: {error}"
    return f"not run: no namespaces or bridges here: {tried.stderr.strip()}" if tried.returncode else None


@dataclass
class Machine:
    """`init`: its first process, as this machine numbers processes."""

    name: str
    maker: subprocess.Popen[bytes]
    init: int

    def starts(self, log: Path) -> bool:
        eventually(lambda: _STARTED in log.read_text() or self.maker.poll() is not None)
        return self.maker.poll() is None

    def raylet(self) -> int:
        programs = {each: command_of(each).partition(" ")[0] for each in processes(self.init)}
        return next(each for each, program in programs.items() if program.endswith("raylet/raylet"))

    def end(self) -> None:
        self.maker.kill()  # the kernel kills the first process then, and with it all others
        self.maker.wait()


@dataclass
class Cluster:
    """`head` computes nothing; commands run there. `machines`: the others, by name. `again`: Ray is started again on
    a machine where it has ended, which else ends with it."""

    folder: Path
    temporary: Path
    environment: Mapping[str, str]
    again: bool = False
    head: Machine | None = None
    machines: dict[str, Machine] = field(default_factory=dict)
    switch: Machine | None = None

    def connect(self) -> None:
        """The network between the machines, before there are any."""
        start = ["unshare", "--net", "--fork", "--kill-child", "sleep", "infinity"]
        maker = subprocess.Popen(start, stdin=subprocess.DEVNULL, preexec_fn=_end_with_the_test)
        self.switch = Machine("switch", maker, _first_process(maker))
        self._plug("add", "dev0", "type", "bridge")
        self._plug("set", "dev0", "up")

    def start(self) -> None:
        options = ["--head", "--port=6379", "--include-dashboard=false", f"--temp-dir={self.temporary}", "--num-cpus=0"]
        self.head = self._machine("head", 1, options)

    def add(self, name: str, number: int, *resources: str) -> None:
        self.machines[name] = self._machine(name, number, [f"--address={ADDRESS}", *resources])

    def command(self, *command: object, machine: str | None = None) -> list[str]:
        """To be run on the head, or on another one."""
        found = self.head if machine is None else self.machines[machine]
        assert found is not None
        return ["nsenter", f"--target={found.init}", *_NAMESPACES, f"--wd={self.folder}", *map(str, command)]

    def end(self) -> None:
        for machine in (*self.machines.values(), self.head, self.switch):
            if machine is not None:
                machine.end()
        with suppress(OSError):
            self.temporary.rmdir()

    def _machine(self, name: str, number: int, options: list[str]) -> Machine:
        logs = [self.folder / f"{name}-{secrets.token_hex(2)}.log" for _ in range(_TRIES)]
        for log in logs:
            machine = self._try(name, number, options, log)
            try:
                if machine.starts(log):
                    return machine
            except AssertionError:  # it took too long
                machine.end()
                raise
            machine.end()
        raise AssertionError(f"{name} does not start:\n{logs[-1].read_text()[-3000:]}")

    def _cache(self, name: str) -> Path:
        """Its own, for those that share a bucket. Toolchains are this machine's."""
        cache = self.folder / f"cache-{name}"
        if not cache.is_dir():
            cache.mkdir()
            (cache / "toolchains").symlink_to(default_cache_dir() / "toolchains")
        return cache

    def _try(self, name: str, number: int, options: list[str], log: Path) -> Machine:
        start = [RAY, "start", "--block", "--disable-usage-stats", f"--node-ip-address=10.77.0.{number}", *options]
        script = _SCRIPT.format(
            name=name,
            number=number,
            temporary=self.temporary,
            start=(_AGAIN if self.again else _ONCE).format(
                start=shlex.join([*start, "--object-store-memory=100000000"])
            ),
        )
        with log.open("wb") as output:
            maker = subprocess.Popen(
                ["unshare", *_NAMESPACES, "--fork", "--kill-child", "--mount-proc", "sh", "-c", script],
                env={**os.environ, **self.environment, "DLPIPE_CACHE_DIR": str(self._cache(name))},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=_end_with_the_test,
            )
        machine = Machine(name, maker, _first_process(maker))
        port = f"to{number}-{secrets.token_hex(2)}"
        self._plug("add", port, "type", "veth", "peer", "name", "dev0", "netns", str(machine.init))
        self._plug("set", port, "master", "dev0", "up")
        return machine

    def _plug(self, *words: str) -> None:
        assert self.switch is not None
        command = ["nsenter", f"--target={self.switch.init}", "--net", "ip", "link", *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@contextmanager
def smallest(folder: Path) -> Iterator[Cluster]:
    """With one node: `small` (1 CPU)."""
    temporary = Path(tempfile.mkdtemp(prefix="dlpipe-ray-", dir="/tmp"))  # Ray's sockets bear no long path
    made = Cluster(folder, temporary, environment())
    try:
        made.connect()
        made.start()
        made.add("small", 2, "--num-cpus=1", "--memory=6000000000")
        yield made
    finally:
        made.end()


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """With two nodes: `small` (1 CPU), and `large` (2 CPUs)."""
    with smallest(folder) as made:
        made.add("large", 3, "--num-cpus=2", "--memory=12000000000")
        yield made


def environment() -> dict[str, str]:
    return {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_agent_register_timeout_ms": "120000",
        "RAY_memory_monitor_refresh_ms": "0",  # it counts what the whole machine uses, others' tests included
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }


def _end_with_the_test() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _first_process(maker: subprocess.Popen[bytes]) -> int:
    """Its namespaces are there once it is."""
    return int(eventually(lambda: next(iter(children(maker.pid)), None)))


def children(process: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    return []
