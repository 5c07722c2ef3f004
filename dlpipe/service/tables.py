"""What the service keeps. Times are seconds since 1970, UTC; digests SHA-256 in hex.

A change of these tables comes with a file in `migrations/versions/`; a test holds the two to each other.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


def fitting(text: str, length: int) -> str:
    """As a column of that many characters holds it."""
    return text if len(text) <= length else text[: length - 1] + "…"


class Base(DeclarativeBase):
    pass


class Team(Base):
    """`served`: the count of leases, of all teams, when this one last got one: who waits longest is next.

    `max_...`: what it may have (`quotas.py`), in bytes and seconds; None: what the service lets everybody have.
    """

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[float] = mapped_column(Double)
    served: Mapped[int] = mapped_column(default=0)
    max_bytes: Mapped[int | None] = mapped_column(BigInteger)
    max_waiting: Mapped[int | None]
    max_time_limit: Mapped[float | None] = mapped_column(Double)
    max_memory: Mapped[int | None] = mapped_column(BigInteger)


class Token(Base):
    """`hash`: of the secret, which is kept nowhere. `scopes`: words, separated by spaces. `identity`: of somebody for
    whom a provider vouches (oidc/identities.py), whose secret nobody knows."""

    __tablename__ = "tokens"
    __table_args__ = (Index("one_token_per_identity", "team_id", "identity", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[str] = mapped_column(String(64))
    created: Mapped[float] = mapped_column(Double)
    expires: Mapped[float | None] = mapped_column(Double)
    revoked: Mapped[float | None] = mapped_column(Double)
    identity: Mapped[str | None] = mapped_column(String(64))

    team: Mapped[Team] = relationship(lazy="joined")


class BrowserSession(Base):
    """Somebody who signed in with a browser. `hash`: of the cookie's secret. It ends with its token, if not before."""

    __tablename__ = "sessions"

    id: Mapped[int] = mapped_column(primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[float] = mapped_column(Double)
    expires: Mapped[float] = mapped_column(Double)

    token: Mapped[Token] = relationship(lazy="joined")


class Job(Base):
    """`lease` names the one worker process that may end this attempt: whoever holds an older one is not heard.

    `attempt` counts how often it was leased, `faults` how often the machinery failed it since it
    was last asked for or last finished a stage.

    `asked` may be megabytes of files' names, and is read where it is wanted alone; `shown` is what a list says of it
    (`Asked.shown`), None of a job that a server without that column took while the others were already newer.

    `trace`: the `traceparent` of the request that asked for it.
    """

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    asked: Mapped[dict[str, Any]] = mapped_column(JSON, deferred=True)
    shown: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    words: Mapped[str] = mapped_column(String(1000))  # what a search looks through
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    trace: Mapped[str | None] = mapped_column(String(64))
    priority: Mapped[int] = mapped_column(default=0)
    time_limit: Mapped[float] = mapped_column(Double)  # seconds, of one attempt
    memory_limit: Mapped[int | None] = mapped_column(BigInteger)  # bytes, of all its processes together
    created: Mapped[float] = mapped_column(Double)

    state: Mapped[str] = mapped_column(String(16), default="queued")
    not_before: Mapped[float] = mapped_column(Double, default=0.0)
    attempt: Mapped[int] = mapped_column(default=0)
    faults: Mapped[int] = mapped_column(default=0)
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    lease: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[float | None] = mapped_column(Double)
    worker: Mapped[str | None] = mapped_column(String(128))

    started: Mapped[float | None] = mapped_column(Double)
    finished: Mapped[float | None] = mapped_column(Double)
    exit_code: Mapped[int | None]
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    result: Mapped[int | None]  # the attempt whose output folder is the job's

    __table_args__ = (
        UniqueConstraint("team_id", "idempotency_key", name="one_job_per_key"),
        Index("jobs_waiting", "team_id", "state", "priority", "id"),
        Index("jobs_leased", "state", "lease_until"),
    )


class JobEvent(Base):
    """One of the pipeline's events (pipeline/events.py), or `JobState`: {"state": ...}."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    attempt: Mapped[int]
    time: Mapped[float] = mapped_column(Double)
    kind: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("events_of_job", "job_id", "id"),)


class AuditRow(Base):
    """Somebody did something, or was refused (audit.py). It refers to no other table: it tells the same when what it
    names is gone. `token`: its number. `scopes`: words, as the token's."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    time: Mapped[float] = mapped_column(Double)
    team: Mapped[str | None] = mapped_column(String(64))
    actor: Mapped[str] = mapped_column(String(128))
    token: Mapped[int | None]
    scopes: Mapped[str] = mapped_column(String(64))
    via: Mapped[str] = mapped_column(String(16))
    address: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(32))
    subject: Mapped[str] = mapped_column(String(300))
    outcome: Mapped[str] = mapped_column(String(16))
    details: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index("audit_by_time", "time"), Index("audit_of_team", "team", "id"))


class WorkerRow(Base):
    """A worker process, and when it was last heard of."""

    __tablename__ = "workers"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    started: Mapped[float] = mapped_column(Double)
    seen: Mapped[float] = mapped_column(Double)


class Board(Base):
    """A board of the farm (farm/boards.py), as its agent describes it.

    `token_id` alone may speak for it, and only the agent that registered last, which knows `session`. Work is taken of
    `team_id` and of `teams` (ids, which an administrator names). While `hold` lasts, work of that hold alone.
    """

    __tablename__ = "boards"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id"))
    teams: Mapped[list[int]] = mapped_column(JSON)
    target: Mapped[str] = mapped_column(String(64))
    about: Mapped[dict[str, Any]] = mapped_column(JSON)
    fingerprint: Mapped[str] = mapped_column(String(64))
    session: Mapped[str] = mapped_column(String(64))
    registered: Mapped[float] = mapped_column(Double)
    seen: Mapped[float] = mapped_column(Double)
    disabled: Mapped[bool] = mapped_column(default=False)
    hold: Mapped[str | None] = mapped_column(String(64))
    hold_until: Mapped[float | None] = mapped_column(Double)


class BoardTask(Base):
    """One run or timing on a board (farm/tasks.py): for `board`, else for any of the kind `target`.

    `folder`, below the service's data, holds the files that `files` names by their digests, and gets the outputs.
    `not_after`: until when a board has to have taken it. `wanted_until`: as long as whoever asked keeps saying so.
    `lease` as of a job. `tried`: the names of the boards that had it.
    """

    __tablename__ = "board_tasks"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    target: Mapped[str] = mapped_column(String(64))
    board: Mapped[str | None] = mapped_column(String(64))
    hold: Mapped[str | None] = mapped_column(String(64))
    operation: Mapped[str] = mapped_column(String(16))
    question: Mapped[dict[str, Any]] = mapped_column(JSON)
    files: Mapped[dict[str, str]] = mapped_column(JSON)
    folder: Mapped[str] = mapped_column(String(256))
    seconds: Mapped[float] = mapped_column(Double)
    not_after: Mapped[float] = mapped_column(Double)
    wanted_until: Mapped[float] = mapped_column(Double)

    state: Mapped[str] = mapped_column(String(16), default="waiting")
    board_id: Mapped[int | None] = mapped_column(ForeignKey("boards.id", ondelete="SET NULL"))
    tried: Mapped[list[str]] = mapped_column(JSON)
    lease: Mapped[str | None] = mapped_column(String(64))
    lease_until: Mapped[float | None] = mapped_column(Double)
    leased: Mapped[float | None] = mapped_column(Double)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    outputs: Mapped[str | None] = mapped_column(String(64))
    error: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (Index("board_tasks_open", "state", "team_id", "id"),)
