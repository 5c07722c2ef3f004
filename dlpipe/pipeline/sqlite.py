"""SQLite files that several processes open at once."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, NullPool, QueuePool, create_engine, event
from sqlalchemy.schema import CreateIndex, CreateTable

_BUSY_SECONDS = 20
KEPT: dict[str, Any] = {"poolclass": QueuePool, "pool_size": 20, "max_overflow": 20}  # as many as a server has threads


def open_engine(path: Path, *, pooled: bool = False) -> Engine:
    """Waits for other processes' writes; a crash of any of them, or of the machine, leaves the file whole. `pooled`:
    for a process that stays and has many threads."""
    engine = create_engine(
        f"sqlite:///{path}",
        **(KEPT if pooled else {"poolclass": NullPool}),
        connect_args={"timeout": _BUSY_SECONDS, "check_same_thread": not pooled},
    )
    event.listen(engine, "connect", _configure)
    return engine


def make_tables(connection: Connection, metadata: MetaData) -> None:
    """Those that are missing. Unlike `create_all`, another process may be doing the same."""
    for table in metadata.sorted_tables:
        connection.execute(CreateTable(table, if_not_exists=True))
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            connection.execute(CreateIndex(index, if_not_exists=True))


def _configure(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    with suppress(sqlite3.OperationalError):  # another is just switching it, or uses it in its old mode
        connection.execute("PRAGMA journal_mode=WAL")
