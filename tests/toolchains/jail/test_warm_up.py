"""Workers made ready in the background, before anything is asked of them."""

from __future__ import annotations

import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dlpipe.contracts.call import Call, Limits
from dlpipe.errors import StageFailed

_BODY = """
import socket, time
from dlpipe_worker import operation
{top}
LOADED = time.monotonic()

@operation
def when(request):
    return LOADED
"""


def call_of(folder: Path, top: str = "") -> Call:
    worker = folder / "warm" / "worker.py"
    worker.parent.mkdir(exist_ok=True)
    worker.write_text(_BODY.format(top=textwrap.dedent(top)), encoding="utf-8")
    return Call("plain", worker, "when", limits=Limits(wall_seconds=60))


def started(bench) -> int:
    """Workers that this pool ever started."""
    return len(list((bench.folder / "logs").glob("worker-*.log")))


def done() -> None:
    """Wait for the end of it."""
    for thread in threading.enumerate():
        if thread.name == "warm-up":
            thread.join(60)


def test_a_call_finds_its_tool_imported(bench, tmp_path):
    call = call_of(tmp_path)
    bench.pool.warm_up([call, call])
    done()
    before = time.monotonic()
    assert bench.pool.run(call, {}, tmp_path / "out") < before
    assert started(bench) == 1


def test_a_call_waits_for_the_worker_that_is_being_made_ready(bench, tmp_path):
    call = call_of(tmp_path, "time.sleep(1)")
    bench.pool.warm_up([call])
    bench.pool.run(call, {}, tmp_path / "out")
    bench.pool.warm_up([call])  # nothing to do: there is one
    bench.pool.run(call, {}, tmp_path / "out")
    assert started(bench) == 1


def test_what_goes_wrong_is_told_by_the_call(bench, tmp_path):
    call = call_of(tmp_path, "raise OSError('the library is broken')")
    bench.pool.warm_up([replace(call, toolchain="not-installed"), call])
    with pytest.raises(StageFailed, match="the library is broken"):
        bench.pool.run(call, {}, tmp_path / "out")
    assert bench.run("return 1") == 1


def test_what_an_import_tries_is_told_by_the_next_call(cell, tmp_path):
    reach = """
    try:
        socket.create_connection(("203.0.113.7", 80), 2)
    except OSError:
        pass
    """
    call = call_of(tmp_path, reach)
    cell.pool.warm_up([call])
    done()
    cell.pool.run(call, {}, tmp_path / "out", cell.events.append)
    assert [note for note in cell.notes() if "203.0.113.7:80" in note]


@pytest.mark.parametrize("delay", [0.0, 0.05, 1.0])
def test_closing_the_pool_ends_it(bench, tmp_path, delay):
    bench.pool.warm_up([call_of(tmp_path, "time.sleep(600)")])
    time.sleep(delay)
    bench.pool.close()
    assert "warm-up" not in [thread.name for thread in threading.enumerate()]
    assert not (tmp_path / "session-0").exists()
