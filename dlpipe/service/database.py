"""The service's database: a SQLite file by default, or PostgreSQL. The same tables, the same statements."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from sqlalchemy import Connection, CursorResult, Engine, Update, event, extract, func, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from dlpipe.pipeline import postgresql
from dlpipe.pipeline.sqlite import open_engine
from dlpipe.service.writers import Journal, Turns

_MIGRATIONS = Path(__file__).with_name("migrations")
_WRITES = "writes"
_LOCK = 6_180_339_887  # made up once


class Database:
    """`read` and `write` are transactions. Writers follow one another: on SQLite by a lock that is taken at the start,
    so that no transaction fails in its middle. `file`: SQLite's."""

    def __init__(self, engine: Engine, file: Path | None = None) -> None:
        self._engine = engine
        self.dialect = engine.dialect.name
        self._turns = Turns(file) if file is not None else None
        self._journal = Journal(file) if file is not None else None

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self._engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def snapshot(self) -> Iterator[Session]:
        """Reads everything as it is at one moment, while others go on writing."""
        engine = self._engine
        if self.dialect == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        with Session(engine) as session, session.begin():
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """Rolled back when the block raises. Once it is left, a power cut takes back nothing of it; not `durable`: a
        crash of this program takes nothing back, a power cut may."""
        engine = self._engine.execution_options(**{_WRITES: True})
        turn = self._turns.turn() if self._turns is not None else nullcontext()
        with turn, Session(engine, expire_on_commit=False) as session, session.begin():
            yield session
        if durable and self._journal is not None:
            self._journal.flush()

    def now(self, session: Session) -> float:
        """Seconds since 1970. Machines that share a PostgreSQL server go by its clock, not by their own."""
        if self.dialect == "postgresql":
            return float(session.scalars(select(extract("epoch", func.clock_timestamp()))).one())
        return time.time()

    def one_at_a_time(self, session: Session) -> None:
        """Until the transaction ends, no other one gets past this line. SQLite's `write` is so by itself."""
        if self.dialect == "postgresql":
            session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})

    def migrate(self, revision: str = "head") -> None:
        """Bring the tables to this version's, or to an older one's; several processes may try at once."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
        with self.write() as session:
            self.one_at_a_time(session)
            config.attributes["connection"] = session.connection()
            command.upgrade(config, revision)

    def answers(self) -> bool:
        try:
            with self.read() as session:
                session.execute(text("SELECT 1 FROM teams"))
        except OperationalError:
            return False
        return True

    def close(self) -> None:
        self._engine.dispose()
        if self._turns is not None:
            self._turns.close()


def changed_rows(session: Session, statement: Update) -> int:
    result = session.execute(statement)
    assert isinstance(result, CursorResult)  # as of every statement that is no query
    return result.rowcount


def open_database(place: str | Path) -> Database:
    """A SQLite file, or `postgresql://user:password@host/database`. Raises UserError, ToolMissing."""
    if isinstance(place, str) and "://" in place:
        return Database(postgresql.open_engine(place, pooled=True)[0])
    engine = open_engine(Path(place), pooled=True)
    event.listen(engine, "connect", _leave_transactions_to_us)
    event.listen(engine, "begin", _begin)
    return Database(engine, Path(place))


def _leave_transactions_to_us(connection: sqlite3.Connection, _: object) -> None:
    """The driver begins one only at the first write: too late for a reader that becomes a writer."""
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get(_WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
