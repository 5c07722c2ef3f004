"""How many jobs a service takes in, and how long a call to its API is: clients at once, each submitting and looking.

    python benchmarks/service_load.py --clients 50 --jobs 1000

The server is a real one (`dlpipe serve`, SQLite, no worker), on this machine's loopback, and shares its processors with
the clients. Every job that was accepted is looked for afterwards: none lost, none twice. Prints JSON: calls per second,
and milliseconds of a call as the client sees it.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import re
import secrets
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any


class Caller:
    """One client's connection, which is kept."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        self._token = token
        self.seconds: list[float] = []

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Any:
        started = time.perf_counter()
        given = {"Authorization": f"Bearer {self._token}", **{k.replace("_", "-"): v for k, v in headers.items()}}
        self._connection.request(method, f"/api/v1{path}", body, given)
        answer = self._connection.getresponse()
        text = answer.read()
        self.seconds.append(time.perf_counter() - started)
        assert answer.status < 300, text
        return json.loads(text) if text else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--jobs", type=int, default=1000)
    options = parser.parse_args()
    token = secrets.token_hex(32)
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "DLPIPE_DATA_DIR": folder, "DLPIPE_TOKEN": token}
        command = [sys.executable, "-m", "dlpipe", "serve", "--port", "0", "--workers", "0"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", server.stderr.readline())
            assert found is not None
            before = memory(server.pid)
            figures = load(int(found[1]), token, options.clients, options.jobs)
            figures["server_memory_mb"] = {"before": before, "after": memory(server.pid)}
            server.send_signal(signal.SIGTERM)
    print(json.dumps(figures, indent=2))


def load(port: int, token: str, clients: int, jobs: int) -> dict[str, Any]:
    content = b"no model: nothing here looks into it"
    digest = hashlib.sha256(content).hexdigest()
    Caller(port, token).ask("PUT", f"/uploads/{digest}", content)
    accepted: list[str] = []
    callers = [Caller(port, token) for _ in range(clients)]
    numbers = iter(range(jobs))
    lock = threading.Lock()

    def client(caller: Caller) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            asked = {"model": {"files": {"m.onnx": digest}, "entry": "m.onnx"}, "targets": ["x86-64"]}
            body, key = json.dumps(asked).encode(), f"number {number}"
            job = caller.ask("POST", "/jobs", body, Content_Type="application/json", Idempotency_Key=key)["id"]
            assert caller.ask("GET", f"/jobs/{job}")["state"] == "queued"
            with lock:
                accepted.append(job)

    threads = [threading.Thread(target=client, args=(each,)) for each in callers]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started
    kept = everything(Caller(port, token))
    assert sorted(kept) == sorted(accepted), "lost, or there twice"
    assert len(set(kept)) == jobs
    calls = [each * 1000 for caller in callers for each in caller.seconds]
    cuts = statistics.quantiles(calls, n=100)
    return {
        "clients": clients,
        "jobs": jobs,
        "processors": os.cpu_count(),
        "load_average": os.getloadavg()[0],
        "calls_per_second": round(len(calls) / seconds, 1),
        "jobs_per_second": round(jobs / seconds, 1),
        "call_ms": {"p50": round(cuts[49], 2), "p95": round(cuts[94], 2), "p99": round(cuts[98], 2)},
    }


def everything(caller: Caller) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = caller.ask("GET", f"/jobs?limit=200{after}")
        found += [each["id"] for each in page["jobs"]]
        if page["next"] is None:
            return found
        after = f"&after={page['next']}"


def memory(process: int) -> float:
    """Resident, in MB."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)


if __name__ == "__main__":
    main()
