"""What tests of all rooms share."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xdist.scheduler import LoadScopeScheduling

from dlpipe.contracts.call import Call
from dlpipe.errors import ToolMissing
from dlpipe.ir import calls as ir_calls
from dlpipe.pipeline.session import Session
from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.pool import WorkerPool


@pytest.fixture(scope="session")
def repo_root() -> Path:
    return Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def shared(repo_root: Path) -> Path:
    """The folder of models and data beside the repository; the test is skipped where it is not."""
    folder = repo_root.parent / "shared"
    if not folder.is_dir():
        pytest.skip("not run: the shared folder of models is not beside the repository")
    return folder


@pytest.fixture(scope="session")
def toolchains() -> Toolchains:
    """The user's own cache: large toolchains are installed once, not once per test run."""
    return Toolchains()


@pytest.fixture
def own_cache(toolchains: Toolchains, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache that this test alone uses; the toolchains in it are the user's."""
    cache = tmp_path / "cache"
    cache.mkdir()
    toolchains.root.mkdir(parents=True, exist_ok=True)
    (cache / "toolchains").symlink_to(toolchains.root)
    monkeypatch.setenv("DLPIPE_CACHE_DIR", str(cache))
    return cache


@pytest.fixture
def session(own_cache: Path) -> Iterator[Session]:
    with Session() as opened:
        yield opened


class Bench:
    """Drives the IR's and the passes' operations through a pool; every result is a folder of its own."""

    def __init__(self, pool: WorkerPool, folder: Path) -> None:
        self.pool = pool
        self._folder = folder
        self._numbers = itertools.count()

    def run(self, call: Call, **inputs: Path) -> tuple[Any, Path]:
        """(the operation's value, its output folder)."""
        out = self.folder()
        return self.pool.run(call, inputs, out), out

    def folder(self) -> Path:
        """A new place, which does not exist yet."""
        return self._folder / str(next(self._numbers))

    def build(self, text: str, **params: Any) -> Path:
        """A folder with `model.onnx`; the parameters are those of tests/graphs/worker.py."""
        return self.tool("build", text=text, **params)[1]

    def tool(self, operation: str, *, inputs: Mapping[str, Path] | None = None, **params: Any) -> tuple[Any, Path]:
        """An operation of tests/graphs/worker.py."""
        worker = Path(__file__).parent / "graphs" / "worker.py"
        return self.run(Call("core", worker, operation, params), **(inputs or {}))

    def make_ir(self, source: Path, entry: str = "model.onnx") -> Path:
        return self.run(ir_calls.import_call(entry), source=source)[1]

    def samples(self, ir: Path, count: int = 3, **dims: int) -> Path:
        return self.run(ir_calls.generate_call(count, 1, dims), ir=ir)[1]

    def outputs(self, ir: Path, samples: Path) -> dict[str, Any]:
        _, out = self.run(ir_calls.run_call(), ir=ir, samples=samples)
        with np.load(out / "outputs.npz", allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}


@pytest.fixture(scope="session")
def pool(toolchains: Toolchains, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerPool]:
    folder = tmp_path_factory.mktemp("pool")
    (folder / "logs").mkdir()
    with WorkerPool(toolchains, folder / "workers", keep_logs=folder / "logs") as pool:
        yield pool


@pytest.fixture(scope="session")
def bench(pool: WorkerPool, tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(pool, tmp_path_factory.mktemp("bench"))


@contextmanager
def _skipped_without_its_interpreter() -> Iterator[None]:
    """A toolchain whose Python cannot be had here: its tests are not run, and say so."""
    try:
        yield
    except ToolMissing as error:
        if "python" not in error.where:
            raise
        pytest.skip(f"not run: {error.message}")


class ByTool(LoadScopeScheduling):
    """Which tests one of several processes runs: those of a tool together, since they share its warm workers, and those
    of users, since they share a store."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.split("::")[0])
        _, room, *rest = file.parts
        of_a_tool = room in ("frontends", "targets") and len(rest) > 1
        return (file.parent if of_a_tool or room == "e2e" else file).as_posix()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByTool:
    return ByTool(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    with _skipped_without_its_interpreter():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Iterator[None]:
    with _skipped_without_its_interpreter():
        return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What could not be run here is said by number and reason; it never counts as passed."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") if isinstance(report.longrepr, tuple) else str(report.longrepr)
        for report in terminalreporter.stats.get("skipped", [])
    )
    terminalreporter.section(f"not run: {reasons.total()}")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count} x {reason}")
