"""Kill a store's write between any two of its steps, or let the disk fail there: never a wrong artefact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dlpipe.contracts.json import digest
from dlpipe.errors import UserError
from dlpipe.pipeline.store import Store
from tests.pipeline.store.faults import PARTS, work
from tests.pipeline.store.making import contents, write

FILES = {"model.onnx": b"weights" * 100, "sub/labels.txt": b"yes\n"}
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("fault", ["kill", "torn", "ENOSPC", "EIO"])
@pytest.mark.parametrize("used", [False, True], ids=["empty", "used"])
def test_a_fault_at_any_step_leaves_a_store_that_is_whole_and_can_go_on(tmp_path: Path, fault: str, used: bool) -> None:
    folder = write(tmp_path / "in", FILES)
    if used:
        Store(tmp_path / "template").ingest(write(tmp_path / "before", {"model.onnx": FILES["model.onnx"]}))
    done = subprocess.run(
        [sys.executable, "-m", "tests.pipeline.store.faults", str(tmp_path), fault],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert done.stderr == ""
    codes = json.loads(done.stdout)
    assert len(codes) > 20
    # Only a failing step that merely tidies up may be survived; nothing survives being killed.
    assert set(codes) == {9} if fault in ("kill", "torn") else set(codes) <= {0, 3} and codes.count(0) < 5
    for step in range(len(codes)):
        check(tmp_path / f"step-{step}", folder, tmp_path / f"out-{step}")


def check(root: Path, folder: Path, out: Path) -> None:
    key = digest(PARTS)
    store = Store(root)
    assert store.verify() == []
    found = store.get(key)
    if found is None:  # resume
        work(root, folder)
        found = store.get(key)
    assert found is not None
    assert found.output is not None
    assert found.log is not None
    store.export(found.output, out)
    assert contents(out) == FILES
    assert store.blob(found.log) == b"the log"
    assert store.verify() == []
    store.gc(grace=0)  # of no limit: only what a killed process left
    assert list((root / "tmp").iterdir()) == []
    assert list((root / "pins").iterdir()) == []
    assert store.get(key) == found


def test_a_real_full_disk(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("not run: needs root, to mount a small disk")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)], check=False)
    if mounted.returncode != 0:
        pytest.skip("not run: this machine does not let root mount a small disk")
    try:
        work(disk / "store", write(tmp_path / "small", FILES))
        with pytest.raises(UserError, match="disk is full") as caught:
            work(disk / "store", write(tmp_path / "large", {"weights": bytes(1 << 20)}))
        assert "cache gc" in (caught.value.hint or "")
        store = Store(disk / "store")
        assert store.verify() == []
        assert store.get(digest(PARTS)) is not None
        assert list((disk / "store" / "tmp").iterdir()) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)
