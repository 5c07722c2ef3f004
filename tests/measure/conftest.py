"""Runs a worker's operation as the host does: a process with the worker runtime, a request, a result."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.call import Call
from dlpipe.toolchains.code import Shelf

RUNTIME = Path(__file__).resolve().parents[2] / "dlpipe" / "toolchains" / "runtime" / "dlpipe_worker.py"
Serve = Callable[..., dict[str, Any]]
Outputs = Callable[..., Path]


@pytest.fixture
def outputs(tmp_path: Path) -> Outputs:
    """outputs("name", scores=array) -> a folder with outputs.npz."""

    def make(name: str, **arrays: Any) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        np.savez(folder / "outputs.npz", **arrays)
        return folder

    return make


@pytest.fixture(scope="module")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """serve(call, input=folder ...) -> the last event of the worker: "result" with its value, or "failed".

    One worker for all tests of a module, without the jail and without `core`: numpy is all that the code needs.
    """
    shelf = Shelf(tmp_path_factory.mktemp("code"))
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, RUNTIME, str(theirs.fileno()), "{}"], pass_fds=[theirs.fileno()])
    theirs.close()
    reader = ours.makefile("r", encoding="utf-8")
    assert json.loads(reader.readline())["event"] == "ready"

    def request(call: Call, **inputs: Path) -> dict[str, Any]:
        assert call.toolchain == "core"
        folders = {name: str(folder) for name, folder in inputs.items()}
        worker = str(shelf.put(call.worker, call.libraries))
        line = {"id": 1, "worker": worker, "operation": call.operation, "params": dict(call.params)}
        ours.sendall((json.dumps({**line, "inputs": folders, "resources": {}, "out": ""}) + "\n").encode())
        while (event := json.loads(reader.readline()))["event"] not in ("result", "failed"):
            pass
        return dict(event)

    yield request
    reader.close()
    ours.close()
    process.wait(timeout=30)
