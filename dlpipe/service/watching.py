"""Who follows a job is told when there is news of it. One question to the database, twice a second, for all of them:
of each follower's own, some hundreds would leave the server no time for anything else."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from anyio.to_thread import run_sync
from sqlalchemy import func, select

from dlpipe.service.database import Database
from dlpipe.service.queue import FINAL
from dlpipe.service.tables import Job, JobEvent

POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Stand:
    """Of a job: the number of its last event, 0 where there is none, and whether it has ended or is gone."""

    last: int
    ended: bool


class Watch:
    """Of one server, in its event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers = Counter[int]()  # by job
        self._looked = asyncio.Event()  # a new one for each look
        self._found: Mapping[int, Stand] = {}
        self._trouble: Exception | None = None
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def follow(self, job: int) -> Iterator[None]:
        self._followers[job] += 1
        try:
            yield
        finally:
            self._followers[job] -= 1
            if not self._followers[job]:
                del self._followers[job]

    async def look(self, job: int) -> Stand | None:
        """How a job that is followed stands, at the next look; None where it has been followed since then only. Raises
        what the database does."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        await self._looked.wait()
        if self._trouble is not None:
            raise self._trouble
        return self._found.get(job)

    async def _look(self) -> None:
        while self._followers:
            await asyncio.sleep(POLL_SECONDS)
            self._trouble = None
            try:
                self._found = await run_sync(self._ask, list(self._followers))
            except Exception as error:  # noqa: BLE001 - whoever waits for the look raises it
                self._trouble = error
            self._looked.set()
            self._looked = asyncio.Event()

    def _ask(self, jobs: Collection[int]) -> Mapping[int, Stand]:
        last = select(JobEvent.job_id, func.max(JobEvent.id)).where(JobEvent.job_id.in_(jobs)).group_by(JobEvent.job_id)
        with self._database.read() as session:
            ended = {
                job: state in FINAL for job, state in session.execute(select(Job.id, Job.state).where(Job.id.in_(jobs)))
            }
            seen = {row[0]: row[1] for row in session.execute(last)}
        return {job: Stand(seen.get(job, 0), ended.get(job, True)) for job in jobs}
