"""What only makes the store faster: last uses for gc, and the digests of large files outside it. Never the truth.

A SQLite file that many processes share. It may be deleted at any time; a damaged one is thrown away and begun anew.
SQLAlchemy takes a while to import, so this module is imported on first need, which a cache hit does not have.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from dlpipe.pipeline.sqlite import make_tables, open_engine

T = TypeVar("T")
_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: tables of another shape


class _Base(DeclarativeBase):
    pass


class _Use(_Base):
    __tablename__ = "uses"
    key: Mapped[str] = mapped_column(primary_key=True)
    last: Mapped[float]  # seconds since 1970


class _Stamp(_Base):
    """A file outside the store that had this content when it looked like this."""

    __tablename__ = "stamps"
    path: Mapped[str] = mapped_column(primary_key=True)
    device: Mapped[int]
    inode: Mapped[int]
    size: Mapped[int]
    mtime_ns: Mapped[int]
    ctime_ns: Mapped[int]
    sha256: Mapped[str]


class Index:
    def __init__(self, path: Path) -> None:
        self._path = path

    def last_uses(self, fresh: Mapping[str, float]) -> dict[str, float]:
        """Keep the times of `fresh` (key -> seconds since 1970), and return all that are known."""

        def work(session: Session) -> dict[str, float]:
            if fresh:
                upsert = insert(_Use).values([{"key": key, "last": last} for key, last in fresh.items()])
                session.execute(upsert.on_conflict_do_update(["key"], set_={"last": upsert.excluded.last}))
            return {use.key: use.last for use in session.scalars(select(_Use))}

        return self._attempt(work, {})

    def forget_uses(self, keys: set[str]) -> None:
        """Of records that are no more."""

        def work(session: Session) -> None:
            for use in session.scalars(select(_Use)):
                if use.key in keys:
                    session.delete(use)

        self._attempt(work, None)

    def digest_of(self, path: Path, status: os.stat_result) -> str | None:
        """SHA-256 of a file, if it looks as it did when it was hashed."""

        def work(session: Session) -> str | None:
            stamp = session.get(_Stamp, str(path))
            return stamp.sha256 if stamp and _look(stamp) == _look(_stamp(path, status, "")) else None

        return self._attempt(work, None)

    def remember(self, path: Path, status: os.stat_result, sha256: str) -> None:
        def work(session: Session) -> None:
            session.merge(_stamp(path, status, sha256))

        self._attempt(work, None)

    def _begin_anew(self) -> None:
        """What it held is found again by hashing, or taken from the records' own dates."""
        for suffix in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _attempt(self, work: Callable[[Session], T], otherwise: T) -> T:
        """The index may fail in any way; then the store works without it."""
        for _ in range(2):
            engine = open_engine(self._path)
            try:
                with engine.begin() as connection:
                    make_tables(connection, _Base.metadata)
                with Session(engine) as session, session.begin():
                    return work(session)
            except DatabaseError as error:
                if not _is_broken(error):
                    break
            finally:
                engine.dispose()
            self._begin_anew()
        return otherwise


def _is_broken(error: DatabaseError) -> bool:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _BROKEN


def _stamp(path: Path, status: os.stat_result, sha256: str) -> _Stamp:
    return _Stamp(
        path=str(path),
        device=status.st_dev,
        inode=status.st_ino,
        size=status.st_size,
        mtime_ns=status.st_mtime_ns,
        ctime_ns=status.st_ctime_ns,
        sha256=sha256,
    )


def _look(stamp: _Stamp) -> tuple[int, ...]:
    return stamp.device, stamp.inode, stamp.size, stamp.mtime_ns, stamp.ctime_ns
