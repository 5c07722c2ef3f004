"""A service's data as one tar file, taken while it runs, and put back elsewhere: on another kind of database, too.

First the database as it is at one moment, table by table, then the files that its jobs name: those of jobs that had
ended, up to the attempt that they had come to, and the uploads; neither changes any more. What a running job has
written is left out, as are the stage caches: after a restore such a job is gone on with by the next worker, and stages
are computed again. A file that is removed while the backup runs is left out. What lies in a bucket alone is fetched
first (`backup_bucket`).

Whoever made a backup says who may use the service that comes of it: the tokens are in it, as hashes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import secrets
import shutil
import tarfile
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from alembic.util import CommandError
from sqlalchemy import JSON, Connection, MetaData, Table, func, inspect, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from dlpipe.errors import BadModel, UserError
from dlpipe.service import backup_bucket
from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.queue import FINAL

FORMAT = 1
DIGESTS, ABOUT, TABLES = "digests.json", "about.json", "tables"
_FOLDERS = ("uploads", "jobs")
_RESTORING = "restoring"  # below the data folder, until all is there
_VERSION = "alembic_version"
_AT_ONCE = 500  # rows
_JOB = re.compile(r"job-[0-9a-f]{16}")
_TASKS_FOLDER = re.compile(r"jobs/job-[0-9a-f]{16}/[0-9]+/board")
_BLOCK = 1 << 20


def backup(database: Database, places: Places, file: Path) -> int:
    """Returns how many files of data are in it. Nobody but this user may read it. Raises UserError where `file` is
    there already or cannot be written."""
    digests: dict[str, str] = {}
    making = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    if file.exists():
        raise UserError(f"{file} is there already")
    try:
        with _created(making) as opened, tarfile.open(fileobj=opened, mode="w") as archive:
            kept = _write_tables(archive, database, digests, making.parent)
            backup_bucket.bring(database, places)
            files = list(_files(places.root, kept))
            for path in files:
                _add(archive, path.relative_to(places.root).as_posix(), path, digests)
            _put(archive, DIGESTS, io.BytesIO(json.dumps(digests).encode()), {})
        making.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}") from error
    finally:
        making.unlink(missing_ok=True)
    return len(files)


def restore(database: Database, places: Places, file: Path) -> int:
    """Into a data folder and a database that hold nothing yet. Every file is checked. Returns how many files of data
    there were.

    The files get their places last before the database is committed: where this is killed, either both are there, or
    no row names a file. Raises UserError where there is something, BadModel where the file is damaged, or no backup.
    """
    if any((places.root / name).exists() for name in _FOLDERS):
        raise UserError(f"{places.root} holds data already", hint="DLPIPE_DATA_DIR: an empty folder")
    making = places.root / _RESTORING
    shutil.rmtree(making, ignore_errors=True)  # of one that was killed
    try:
        with _opened(file) as archive, _understood(file):
            about = json.loads(_member(archive, ABOUT).read())
            if about["format"] != FORMAT:
                raise UserError(f"{file} was written by another version of dlpipe")
            _migrate(database, about["revision"], file)
            with database.read() as session:
                _check_empty(session.connection())
            names = _lay_out(archive, making)
            with database.write() as session:
                _check_empty(session.connection())
                _read_tables(archive, session.connection(), about["tables"])
                backup_bucket.send(session.connection(), places, making)
                for name in _FOLDERS:
                    if (making / name).is_dir():
                        (making / name).rename(places.root / name)
            database.migrate()
    finally:
        shutil.rmtree(making, ignore_errors=True)
    return len(names)


def _created(path: Path) -> IO[bytes]:
    """A new file that nobody else may read."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb")


def _migrate(database: Database, revision: str, file: Path) -> None:
    try:
        database.migrate(revision)
    except CommandError as error:
        raise UserError(f"{file} was written by another version of dlpipe") from error


def _write_tables(
    archive: tarfile.TarFile, database: Database, digests: dict[str, str], folder: Path
) -> dict[str, int]:
    """Returns the jobs whose files do not change any more: name -> the attempt that they had come to. folder: where a
    table may lie while it is written."""
    with database.snapshot() as session:
        connection = session.connection()
        tables = _tables(connection)
        (revision,) = connection.execute(text(f"SELECT version_num FROM {_VERSION}")).one()  # noqa: S608 - our own name
        for table in tables:
            rows = connection.execution_options(yield_per=_AT_ONCE).execute(select(table)).mappings()
            with tempfile.TemporaryFile(dir=folder) as lines:  # its size comes before it
                for row in rows:
                    lines.write(json.dumps(dict(row)).encode() + b"\n")
                _put(archive, f"{TABLES}/{table.name}.jsonl", lines, digests)
        jobs = next(table for table in tables if table.name == "jobs")
        ended = connection.execute(select(jobs.c.name, jobs.c.attempt).where(jobs.c.state.in_(FINAL)))
        kept = {str(row.name): int(row.attempt) for row in ended}
    about = {"format": FORMAT, "revision": revision, "tables": [table.name for table in tables]}
    _put(archive, ABOUT, io.BytesIO(json.dumps(about).encode()), digests)
    return kept


def _check_empty(connection: Connection) -> None:
    for table in _tables(connection):
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise UserError(f"the database holds {table.name} already", hint="DLPIPE_DATABASE: an empty one")


def _read_tables(archive: tarfile.TarFile, connection: Connection, names: list[str]) -> None:
    tables = {table.name: table for table in _tables(connection)}
    for name in names:
        table, alike = tables[name], defaultdict[frozenset[str], list[dict[str, Any]]](list)
        for line in _member(archive, f"{TABLES}/{name}.jsonl"):
            row = {key: value for key, value in json.loads(line).items() if value is not None}  # the others are NULL
            _check_places(name, row)
            rows = alike[frozenset(row)]
            rows.append(row)
            if len(rows) >= _AT_ONCE:
                connection.execute(table.insert(), rows)
                rows.clear()
        for rows in filter(None, alike.values()):
            connection.execute(table.insert(), rows)
        if connection.dialect.name == "postgresql" and "id" in table.c:  # its own count would begin at 1
            counter = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
            last = connection.execute(select(func.max(table.c.id))).scalar_one()
            if last is not None:
                connection.execute(counter, {"table": name, "last": last})


def _check_places(table: str, row: Mapping[str, Any]) -> None:
    """What becomes part of a path. Raises BadModel."""
    if table == "jobs" and not _JOB.fullmatch(row["name"]):
        raise BadModel(f"{row['name']!r} in the backup is no job's name")
    if table == "board_tasks" and not _TASKS_FOLDER.fullmatch(row["folder"]):
        raise BadModel(f"{row['folder']!r} in the backup is no task's folder")


def _tables(connection: Connection) -> list[Table]:
    """As they are, whatever version made them; those that others name come first."""
    metadata = MetaData()
    metadata.reflect(connection, only=[name for name in inspect(connection).get_table_names() if name != _VERSION])
    for table in metadata.tables.values():
        for column in table.columns:
            if type(column.type).__name__ in ("JSON", "JSONB"):
                column.type = JSON(none_as_null=True)
    return list(metadata.sorted_tables)


def _files(root: Path, jobs: Mapping[str, int]) -> Iterator[Path]:
    """jobs: name -> the last attempt that is wanted; one that was asked for again since writes to a later one."""
    for path in sorted((root / "uploads").rglob("*")):
        if path.suffix != ".part" and _is_plain(path):
            yield path
    for name, last in sorted(jobs.items()):
        for attempt in sorted(each for each in (root / "jobs" / name).glob("*") if each.name.isdecimal()):
            if int(attempt.name) <= last:
                yield from filter(_is_plain, sorted(attempt.rglob("*")))


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _add(archive: tarfile.TarFile, name: str, path: Path, digests: dict[str, str]) -> None:
    try:
        with path.open("rb") as file:
            _put(archive, name, file, digests)
    except FileNotFoundError:  # removed meanwhile
        return


def _put(archive: tarfile.TarFile, name: str, content: IO[bytes], digests: dict[str, str]) -> None:
    """All that `content` holds now. A file of several names is written under each: what is put back is whole by
    itself."""
    entry, reading = tarfile.TarInfo(name), _Hashing(content)
    entry.size, entry.mode = content.seek(0, os.SEEK_END), 0o600
    content.seek(0)
    archive.addfile(entry, reading)
    digests[name] = reading.found.hexdigest()


class _Hashing:
    """What was read has this digest, whatever happens to the file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.found = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        block = self._file.read(size)
        self.found.update(block)
        return block


def _opened(file: Path) -> tarfile.TarFile:
    """Not compressed: a small file cannot hold more than it is long."""
    try:
        return tarfile.open(file, "r:")
    except (OSError, tarfile.TarError) as error:
        raise BadModel(f"{file} is no backup: {error}") from error


@contextmanager
def _understood(file: Path) -> Iterator[None]:
    """Whatever a file says that is none of ours, it is that file's fault."""
    try:
        yield
    except OperationalError:  # the database's
        raise
    except (AttributeError, KeyError, TypeError, ValueError, tarfile.TarError, SQLAlchemyError) as error:
        raise BadModel(f"{file} is no backup, or damaged: {type(error).__name__}: {error}"[:500]) from error


def _lay_out(archive: tarfile.TarFile, folder: Path) -> list[str]:
    """Every file of data below `folder`, once each file of the archive has its digest. Returns their names. Raises
    BadModel, ValueError."""
    digests: dict[str, str] = json.loads(_member(archive, DIGESTS).read())
    names = []
    for name, digest in digests.items():
        member, found = _member(archive, name), hashlib.sha256()
        top, *parts = name.split("/")
        if top in _FOLDERS and parts:
            if any(part in ("", ".", "..") for part in parts):
                raise BadModel(f"{name!r} in the backup leads out of its folder")
            path = folder / name
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                into = _created(path)
            except (FileExistsError, NotADirectoryError) as error:
                raise BadModel(f"{name!r} in the backup stands where another file does") from error
            with into:
                while block := member.read(_BLOCK):
                    found.update(block)
                    into.write(block)
            if top == "uploads":
                path.chmod(0o444)
            names.append(name)
        else:
            while block := member.read(_BLOCK):
                found.update(block)
        if found.hexdigest() != digest:
            raise BadModel(f"{name} in the backup is damaged")
    return names


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    """Of a plain file: no link, whose content would be another's, and none with holes, which may be any size."""
    try:
        entry = archive.getmember(name)
        found = archive.extractfile(entry) if entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE) else None
    except (KeyError, tarfile.TarError) as error:
        raise BadModel(f"the backup has no {name}: it is damaged") from error
    if found is None or entry.issparse():
        raise BadModel(f"{name} in the backup is no plain file")
    return found
