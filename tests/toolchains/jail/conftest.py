"""Worker code written by a test, run in each kind of jail that this machine has."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dlpipe.contracts.call import Call, Limits
from dlpipe.toolchains.environment import Environment, read_complete, write_complete
from dlpipe.toolchains.jail import JailKind
from dlpipe.toolchains.jail.detect import attempt
from dlpipe.toolchains.pool import WorkerPool

_HEADER = """
import json, os, signal, socket, subprocess, sys, time
from dlpipe_worker import Refused, operation


"""


def make_environment(folder: Path, python: Path) -> Environment:
    """A toolchain without any package, on the interpreter `python`."""
    subprocess.run([python, "-m", "venv", "--without-pip", "--copies", folder], check=True, timeout=120)
    base = subprocess.run(
        [python, "-c", "import sys; print(sys.base_prefix)"], check=True, capture_output=True, text=True, timeout=60
    ).stdout.strip()
    write_complete(folder, folder.name, "0" * 64, "bin/python", (base,), {})
    environment = read_complete(folder)
    assert environment is not None
    return environment


@dataclass
class Environments:
    """Stands where `Toolchains` does: the environments of a test, by name."""

    known: Mapping[str, Environment]
    kinds: tuple[str, ...] = ()

    def devices(self, name: str) -> tuple[str, ...]:
        return self.kinds

    def ensure(self, name: str) -> Environment:
        return self.known[name]

    def find(self, name: str) -> Environment | None:
        return self.known.get(name)


@dataclass
class Bench:
    """A pool, and the means to run worker code given as text in it."""

    pool: WorkerPool
    folder: Path
    events: list[Mapping[str, Any]] = field(default_factory=list)

    def call(self, source: str, limits: Limits | None = None, name: str = "plain", **params: Any) -> Call:
        """`source` is the body of the operation; `request` is there."""
        room = self.folder / "room"
        room.mkdir(exist_ok=True)
        body = textwrap.indent(textwrap.dedent(source), "    ")
        worker = room / f"w{abs(hash(source))}.py"
        worker.write_text(f"{_HEADER}@operation\ndef work(request):\n{body}\n", encoding="utf-8")
        return Call(name, worker, "work", params, limits=limits or Limits(wall_seconds=60))

    def run(
        self,
        source: str,
        limits: Limits | None = None,
        inputs: Mapping[str, Path] | None = None,
        log: Path | None = None,
        **params: Any,
    ) -> Any:
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        call = self.call(source, limits, **params)
        return self.pool.run(call, inputs or {}, out, self.events.append, log)

    def notes(self) -> list[str]:
        return [event["message"] for event in self.events if event["event"] == "note"]


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return make_environment(tmp_path_factory.mktemp("toolchains") / "plain", Path(sys.executable))


@pytest.fixture(scope="session")
def new_environment() -> Callable[[Path, Path], Environment]:
    return make_environment


@pytest.fixture
def new_pool(tmp_path: Path) -> Iterator[Callable[..., WorkerPool]]:
    pools: list[WorkerPool] = []

    def make(kind: JailKind, *environments: Environment, devices: tuple[str, ...] = ()) -> WorkerPool:
        known = Environments({environment.name: environment for environment in environments}, devices)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # that the plain jail is no jail has a test of its own
            pool = WorkerPool(known, tmp_path / f"session-{len(pools)}", jail=kind, keep_logs=tmp_path / "logs")
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def _available(kind: JailKind) -> JailKind:
    trial = attempt(kind)
    if not trial.works:
        pytest.skip(f"not run: no {kind.value} jail on this machine: {trial.reason}")
    return kind


@pytest.fixture(params=[JailKind.BUBBLEWRAP, JailKind.NAMESPACES, JailKind.PLAIN], ids=lambda kind: kind.value)
def kind(request: pytest.FixtureRequest) -> JailKind:
    return _available(request.param)


@pytest.fixture(params=[JailKind.BUBBLEWRAP, JailKind.NAMESPACES], ids=lambda kind: kind.value)
def isolating_kind(request: pytest.FixtureRequest) -> JailKind:
    return _available(request.param)


@pytest.fixture
def bench(kind: JailKind, environment: Environment, new_pool: Callable[..., WorkerPool], tmp_path: Path) -> Bench:
    """In every kind of jail."""
    return Bench(new_pool(kind, environment), tmp_path)


@pytest.fixture
def cell(
    isolating_kind: JailKind, environment: Environment, new_pool: Callable[..., WorkerPool], tmp_path: Path
) -> Bench:
    """In the kinds that hide network and files."""
    return Bench(new_pool(isolating_kind, environment), tmp_path)


@pytest.fixture
def find_python() -> Callable[[str], Path]:
    def find(version: str) -> Path:
        """An interpreter of that version which really starts; the test is skipped where there is none."""
        candidates = [shutil.which(f"python{version}")]
        candidates += sorted(str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
        for candidate in filter(None, candidates):
            done = subprocess.run([candidate, "--version"], capture_output=True, text=True, timeout=60, check=False)
            if done.returncode == 0 and f" {version}." in done.stdout:
                return Path(candidate)
        pytest.skip(f"not run: there is no Python {version} on this machine")

    return find


@pytest.fixture
def processes_marked() -> Callable[[str], list[int]]:
    def find(mark: str) -> list[int]:
        """The ids of this machine's processes that carry `mark` on their command line, as `sleep MARK` does."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found

    return find
