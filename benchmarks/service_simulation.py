"""How the queue holds up: many workers, a long queue, on the real code and a real database.

    python benchmarks/service_simulation.py --workers 1000 --jobs 100000 --teams 20 --leases 2000
    python benchmarks/service_simulation.py --postgresql

The jobs are rows and the clock is made up, so that hours pass at once; every lease and every end of a job is a
transaction of the queue's own. The teams ask for unequal numbers of jobs: the first for half of all. The queue is
measured at several lengths, and then drained for a while by workers that each take a job, work for a made-up time and
end it. Prints JSON: milliseconds of a lease and of an end, how many jobs each team had running, who waited longest.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import random
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from dlpipe.service.accounts import first_administrator, make_team
from dlpipe.service.asked import Asked
from dlpipe.service.database import Database, open_database
from dlpipe.service.queue import Lease, Outcome, Queue
from dlpipe.service.tables import Job, Team, Token
from tests.pipeline.postgresql_server import running

JOB_SECONDS = 60.0  # of made-up work, in the mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--teams", type=int, default=20)
    parser.add_argument("--leases", type=int, default=2000, help="while draining")
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        place: Path | str = folder / "queue.sqlite"
        if options.postgresql:
            (folder / "postgresql").mkdir()
            repository = Path(__file__).resolve().parents[1]
            place = stack.enter_context(running(repository, folder / "postgresql")).new_database()
        database = open_database(place)
        stack.callback(database.close)
        print(json.dumps(simulate(database, options), indent=2))


def simulate(database: Database, options: argparse.Namespace) -> dict[str, Any]:
    clock = Clock()
    queue = Queue(database, lease_seconds=24 * 3600.0, clock=clock)
    teams = make_teams(database, options.teams)
    lengths, there = [], 0
    for wanted in (options.jobs // 100, options.jobs // 10, options.jobs):
        add_jobs(database, teams, there, wanted)
        there = wanted
        lengths.append({"queued": wanted, **probe(queue)})
    return {
        "database": database.dialect,
        "at_lengths": lengths,
        "draining": drain(queue, clock, teams, options.workers, options.leases),
        "load_average": round(os.getloadavg()[0], 1),
    }


class Clock:
    """Seconds, made up."""

    def __init__(self) -> None:
        self.now = 1e9

    def __call__(self) -> float:
        return self.now


def make_teams(database: Database, count: int) -> list[int]:
    database.migrate()
    with database.write() as session:
        first_administrator(session, "x" * 20, 0.0)
        for number in range(1, count):
            make_team(session, f"team {number}", 0.0)
        session.flush()
        return list(session.scalars(select(Team.id).order_by(Team.id)))


def add_jobs(database: Database, teams: list[int], first: int, last: int) -> None:
    """Every other one is the first team's."""
    asked = Asked(zoo="any", targets=["x86-64"])
    common = {
        "asked": asked.model_dump(mode="json"), "words": asked.words(), "time_limit": 3600.0, "created": 0.0,
    }  # fmt: skip
    with database.write() as session:
        token = session.scalars(select(Token.id)).first()
        for start in range(first, last, 5000):
            session.execute(
                insert(Job),
                [
                    {**common, "name": f"job-{n:016x}", "token_id": token, "priority": n % 3,
                     "team_id": teams[0] if n % 2 else teams[n // 2 % len(teams)]}
                    for n in range(start, min(start + 5000, last))
                ],
            )  # fmt: skip


def probe(queue: Queue, count: int = 20) -> dict[str, Any]:
    """Leases that are given back."""
    taken = []
    leases = []
    for number in range(count):
        begun = time.perf_counter()
        lease = queue.lease(f"probe {number}")
        taken.append(time.perf_counter() - begun)
        assert lease is not None
        leases.append(lease)
    for lease in leases:
        queue.give_back(lease)
    return {"lease_ms": milliseconds(taken)}


def drain(queue: Queue, clock: Clock, teams: list[int], workers: int, count: int) -> dict[str, Any]:
    """Each worker has a job all the time; the first `workers` leases fill them."""
    chance = random.Random(1)
    ends: list[tuple[float, int, Lease]] = []
    leasing, ending = [], []
    had, spread, last, longest = Counter[int](), [], dict.fromkeys(teams, clock.now), 0.0
    for number in range(workers + count):
        if len(ends) >= workers:
            clock.now, _, lease = heapq.heappop(ends)
            begun = time.perf_counter()
            queue.finish(lease, Outcome(0))
            ending.append(time.perf_counter() - begun)
            had[lease.team] -= 1
        begun = time.perf_counter()
        found = queue.lease(f"worker {number}")
        leasing.append(time.perf_counter() - begun)
        assert found is not None, "the queue is longer than this"
        had[found.team] += 1
        longest, last[found.team] = max(longest, clock.now - last[found.team]), clock.now
        heapq.heappush(ends, (clock.now + chance.expovariate(1 / JOB_SECONDS), number, found))
        if len(ends) >= workers:
            spread.append(max(had.values()) - min(had[team] for team in teams))
    return {
        "workers": workers,
        "leases": len(leasing),
        "lease_ms": milliseconds(leasing),
        "end_ms": milliseconds(ending),
        "running_per_team_at_the_end": {"fewest": min(had.values()), "most": max(had.values())},
        "largest_difference_between_teams": max(spread),
        "longest_between_two_leases_of_a_team_s": round(longest, 1),
    }


def milliseconds(taken: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles([each * 1000 for each in taken], n=100)
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1)}


if __name__ == "__main__":
    main()
