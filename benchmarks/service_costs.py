"""What a job costs a service: processor seconds, memory, disk, rows of the database; for each kind of small job.

    python benchmarks/service_costs.py
    python benchmarks/service_costs.py --only fp32 again

A real service with one worker (SQLite, stages beside it) converts one small model, in a team of its own for each kind,
so that nothing is found in a cache; `again` is the job of `fp32` asked for a second time by the same team. Processor
seconds are those of the worker and of all that it starts and waits for: at least, since the time of a tool that is
killed when its work is done is handed on to nobody (a control group, which this does not ask for, counts it). Memory is
the most that all of it had at once, looked at five times a second, as the service does where a job has a limit.
Toolchains are there already. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from benchmarks.service_faults import made, make_models
from benchmarks.service_supervised import Supervised
from dlpipe.service.client import Client
from dlpipe.toolchains.jail.tree import usage

KINDS: dict[str, dict[str, Any]] = {
    "fp32": {"target": "x86-64", "backends": ["onnxruntime"], "precision": "fp32"},
    "again": {"target": "x86-64", "backends": ["onnxruntime"], "precision": "fp32"},
    "int8": {"target": "x86-64", "backends": ["onnxruntime"], "precision": "int8"},
    "arm64": {"target": "arm64", "backends": ["ncnn"], "precision": "fp32"},
    "choose": {"target": "x86-64", "backends": ["onnxruntime", "openvino"], "precision": "auto"},
}
_LOOK_SECONDS = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(KINDS), default=list(KINDS))
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (model,) = make_models(folder, 1)
        service = Supervised(made(folder / "service"), 1, 30.0, None)
        stack.callback(service.stop)
        service.begin()
        data = folder / "service" / "data"
        client, found = service.client(service.new_token()), {}
        for kind in options.only:
            if kind != "again":
                client = service.client(service.new_token())
            found[kind] = cost(service, client, data, model, KINDS[kind])
    print(json.dumps({"jobs": found, "load_average": round(os.getloadavg()[0], 1)}, indent=2))


def cost(service: Supervised, client: Client, data: Path, model: Path, asked: dict[str, Any]) -> dict[str, Any]:
    """Of one job, from its submission to its end."""
    (worker,) = service.workers()
    before, used, rows = _size(data), usage(worker).cpu_seconds, _rows(data)
    most, over = [0], threading.Event()
    watching = threading.Thread(target=_watch, args=(worker, most, over))
    watching.start()
    begun = time.monotonic()
    ended = client.wait(client.submit(model, **asked)["id"])
    seconds = time.monotonic() - begun
    over.set()
    watching.join()
    grown = _rows(data)
    report = client.report(ended["id"]) if ended["has_result"] else {}
    return {
        "state": ended["state"],
        "artifacts": len(report.get("artifacts", [])),
        "seconds": round(seconds, 1),
        "processor_seconds_at_least": round(usage(worker).cpu_seconds - used, 1),
        "memory_mb": round(most[0] / 1e6),
        "disk_kb": {name: round((size - before.get(name, 0)) / 1e3) for name, size in _size(data).items()},
        "rows": {name: count - rows[name] for name, count in grown.items() if count != rows[name]},
    }


def _watch(worker: int, most: list[int], over: threading.Event) -> None:
    while not over.wait(_LOOK_SECONDS):
        most[0] = max(most[0], usage(worker).memory)


def _size(data: Path) -> dict[str, int]:
    """Bytes on the disk, of each part of the service's data; a file that has two names counts once. Toolchains are
    elsewhere."""
    found, seen = dict[str, int](), set[int]()
    for path in sorted(data.rglob("*"), key=lambda path: (not path.is_relative_to(data / "uploads"), path)):
        part = path.relative_to(data).parts[0]
        part = "database" if part.startswith("service.sqlite") else part
        about = path.lstat()
        if path.is_file() and not path.is_symlink() and about.st_ino not in seen:
            seen.add(about.st_ino)
            found[part] = found.get(part, 0) + about.st_blocks * 512
    return found


def _rows(data: Path) -> dict[str, int]:
    with closing(sqlite3.connect(data / "service.sqlite")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in tables}


if __name__ == "__main__":
    main()
