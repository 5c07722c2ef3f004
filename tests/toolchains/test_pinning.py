"""Workers that are kept to a core."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlpipe.toolchains import Toolchains
from dlpipe.toolchains.jail import tree
from dlpipe.toolchains.pool import WorkerPool


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="not run: this system keeps no process to a core")
def test_a_worker_and_all_below_it_are_kept_to_a_core_and_let_go(toolchains: Toolchains, tmp_path: Path) -> None:
    usable = os.sched_getaffinity(0)
    one = max(usable)
    (tmp_path / "logs").mkdir()
    with (
        WorkerPool(toolchains, tmp_path / "workers", keep_logs=tmp_path / "logs") as pool,
        pool.worker("core") as worker,
    ):
        family = list(tree.processes(worker.pid))
        worker.pin([one])
        assert {tuple(os.sched_getaffinity(each)) for each in family} == {(one,)}
        worker.pin(usable)
        assert [os.sched_getaffinity(each) for each in family] == [usable] * len(family)
    assert os.sched_getaffinity(0) == usable
