"""What a stage costs more on a Ray cluster than on this machine: the same small stages both ways, in turn, in one run.

Run it on a node of the cluster, with the cache folder (DLPIPE_CACHE_DIR) that its nodes share:

    python benchmarks/cluster_overhead.py [--executor ray|ray://HOST:PORT] [--stages N] [--seconds S]

A stage sleeps for --seconds (0), so what is beyond that is the overhead: the jail, the store, and on the cluster Ray.
Every stage is another one for the store, so none is a hit. First one stage each way is run by itself: it starts the
tool, and on the cluster Ray's connection and process. "one" is one stage at a time; "together" are all at once, which
wait for each other where there are fewer processors. Prints JSON, with the machine's load beside the seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from dlpipe.contracts.call import Call
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

WORKER = """
from pathlib import Path
from dlpipe_worker import operation
import time

@operation
def work(request):
    time.sleep(request.params["seconds"])
    (Path(request.out) / "said").write_text(request.params["name"])
"""


def run(session: Session, worker: Path, names: list[str], seconds: float) -> float:
    """Wall seconds for these stages, begun together."""
    stages = [Stage(name, "pass", Call("base", worker, "work", {"name": name, "seconds": seconds})) for name in names]
    started = time.perf_counter()
    session.executor.run(stages)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--executor", default="ray")
    parser.add_argument("--stages", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=0.0)
    given = parser.parse_args()
    one: dict[str, list[float]] = {"local": [], "ray": []}
    together: dict[str, float] = {}
    loads = [os.getloadavg()[0]]
    with tempfile.TemporaryDirectory() as folder, Session() as local, Session(executor=given.executor) as ray:
        worker = Path(folder, "room", "worker.py")
        worker.parent.mkdir()
        worker.write_text(WORKER, encoding="utf-8")
        sessions = {"local": local, "ray": ray}
        first = {way: run(sessions[way], worker, [f"{way} first {local.id}"], 0.0) for way in sessions}
        for number in range(given.stages):
            for way, session in sessions.items():
                one[way].append(run(session, worker, [f"{way} {number} {local.id}"], given.seconds))
            loads.append(os.getloadavg()[0])
        for way, session in sessions.items():
            names = [f"{way} together {number} {local.id}" for number in range(given.stages)]
            together[way] = run(session, worker, names, given.seconds) / given.stages
    print(
        json.dumps(
            {
                "stages": given.stages,
                "stage_seconds": given.seconds,
                "first": {way: round(each, 3) for way, each in first.items()},
                "one_median": {way: round(statistics.median(each), 4) for way, each in one.items()},
                "one_p90": {way: round(sorted(each)[int(0.9 * len(each))], 4) for way, each in one.items()},
                "together_per_stage": {way: round(each, 4) for way, each in together.items()},
                "load": [round(min(loads), 1), round(max(loads), 1)],
            }
        )
    )


if __name__ == "__main__":
    main()
