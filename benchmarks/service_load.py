"""How many jobs a service takes in, and how long a call to its API is.

    python benchmarks/service_load.py --clients 200 --jobs 1000                  # as fast as they go: closed loop
    python benchmarks/service_load.py --rates 50,100,150 --seconds 15            # at a rate: open loop

The server is a real one (`dlpipe serve`, SQLite, no worker), on this machine's loopback, and shares its processors with
the clients, which are one process. Half the calls submit a job, half look at one. Every job that was accepted is looked
for afterwards: none lost, none twice.

Closed loop, a client sends its next call once it has the last one's answer, so that a slow server is asked less: with
N clients at a rate of r a call takes N/r, whatever the server is like. At a rate, calls begin when they are due, and
their time counts from then, so that what waits behind a slow one shows. Prints JSON; milliseconds as the client sees
them, and the processor's time that a call took the server.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from benchmarks.service_server import Connection, Started, everything, sent, started

LIMIT_MS = 100.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=1000, help="of the closed loop")
    parser.add_argument("--rates", default="", help="calls per second, separated by commas, in place of a closed loop")
    parser.add_argument("--seconds", type=float, default=15.0, help="at each rate")
    parser.add_argument("--folder", type=Path, help="where the data lie; by default below the temporary files")
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",") if rate]
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        flush = flush_ms(Path(folder))
        with started(Path(folder), "--workers", "0") as server:
            figures = asyncio.run(measure(server, options.clients, options.jobs, rates, options.seconds))
    print(json.dumps({**figures, "processors": os.cpu_count(), "disk_flush_ms": flush}, indent=2))


async def measure(server: Started, clients: int, jobs: int, rates: list[float], seconds: float) -> dict[str, Any]:
    digest = await sent(server)
    callers = [Connection(server) for _ in range(clients)]
    accepted: list[str] = []

    async def submit(caller: Connection) -> None:
        asked = {"model": {"files": {"m.onnx": digest}, "entry": "m.onnx"}, "targets": ["x86-64"]}
        key = f"{os.getpid()} {len(accepted)} {time.perf_counter()}"
        accepted.append((await caller.ask("POST", "/jobs", asked, {"Idempotency-Key": key}))["id"])

    async def look(caller: Connection) -> None:
        assert (await caller.ask("GET", f"/jobs/{accepted[-1]}"))["state"] == "queued"

    await submit(callers[0])  # the first one imports what the others use
    figures: dict[str, Any] = {"clients": clients, "server_memory_mb": {"before": server.memory_mb()}}
    if rates:
        figures["at_rates"] = [await at_rate(server, callers, rate, seconds, submit, look) for rate in rates]
        within = [each["calls_per_second"] for each in figures["at_rates"] if each["call_ms"]["p99"] < LIMIT_MS]
        figures[f"highest_with_p99_below_{LIMIT_MS:g}_ms"] = max(within, default=None)
    else:
        figures["closed_loop"] = await closed(server, callers, jobs, submit, look)
    kept = await everything(callers[0])
    assert sorted(kept) == sorted(accepted), "lost, or there twice"
    assert len(set(kept)) == len(kept)
    figures["jobs_accepted_and_there_once"] = len(kept)
    figures["server_memory_mb"]["after"] = server.memory_mb()
    return figures


Call = Callable[[Connection], Coroutine[Any, Any, None]]


async def closed(server: Started, callers: list[Connection], jobs: int, submit: Call, look: Call) -> dict[str, Any]:
    numbers, taken = iter(range(jobs)), []

    async def client(caller: Connection) -> None:
        for _ in numbers:
            for call in (submit, look):
                begun = time.perf_counter()
                await call(caller)
                taken.append(time.perf_counter() - begun)

    begun, used = time.perf_counter(), server.processor_seconds()
    await asyncio.gather(*map(client, callers))
    return shown(taken, time.perf_counter() - begun, server.processor_seconds() - used)


async def at_rate(
    server: Started, callers: list[Connection], rate: float, seconds: float, submit: Call, look: Call
) -> dict[str, Any]:
    free: asyncio.Queue[Connection] = asyncio.Queue()
    for caller in callers:
        free.put_nowait(caller)
    taken: list[float] = []

    async def one(due: float, call: Call) -> None:
        caller = await free.get()
        try:
            await call(caller)
        finally:
            free.put_nowait(caller)
        taken.append(time.perf_counter() - due)

    begun, used, running = time.perf_counter(), server.processor_seconds(), []
    for number in range(int(rate * seconds)):
        due = begun + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        running.append(asyncio.create_task(one(due, look if number % 2 else submit)))
    await asyncio.gather(*running)
    return {"asked_for": rate, **shown(taken, time.perf_counter() - begun, server.processor_seconds() - used)}


def shown(taken: list[float], seconds: float, used: float) -> dict[str, Any]:
    cuts = statistics.quantiles([each * 1000 for each in taken], n=1000)
    return {
        "calls": len(taken),
        "calls_per_second": round(len(taken) / seconds, 1),
        "call_ms": {
            name: round(cuts[at], 1) for name, at in (("p50", 499), ("p95", 949), ("p99", 989), ("p99.9", 998))
        },
        "server_processor_ms_per_call": round(used * 1000 / len(taken), 2),
        "load_average": round(os.getloadavg()[0], 2),
    }


def flush_ms(folder: Path) -> dict[str, float]:
    """What a durable commit cannot be faster than, here and now."""
    taken = []
    with (folder / "flushed").open("wb") as file:
        for _ in range(100):
            file.write(b"x" * 4096)
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append((time.perf_counter() - begun) * 1000)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": round(cuts[49], 2), "p99": round(cuts[98], 2)}


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main()
