"""A service's data as one tar file, taken while it runs, and put back elsewhere: on another kind of database, too.

First the database as it is at one moment, table by table, then the files that its jobs name: those of jobs that had
ended, and the uploads, neither of which changes any more. What a running job has written is left out, as are the stage
caches: after a restore such a job is gone on with by the next worker, and stages are computed again. A file that is
removed while the backup runs is left out.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from sqlalchemy import JSON, Connection, MetaData, Table, func, inspect, select, text

from dlpipe.errors import BadModel, UserError
from dlpipe.service.database import Database
from dlpipe.service.places import Places
from dlpipe.service.queue import FINAL

FORMAT = 1
DIGESTS, ABOUT, TABLES = "digests.json", "about.json", "tables"
_VERSION = "alembic_version"
_AT_ONCE = 500  # rows


def backup(database: Database, places: Places, file: Path) -> int:
    """Returns how many files of data are in it. Raises UserError where `file` is there already or cannot be written."""
    digests: dict[str, str] = {}
    making = file.with_name(f"{file.name}.part")
    if file.exists():
        raise UserError(f"{file} is there already")
    try:
        with tarfile.open(making, "w") as archive:
            kept = _write_tables(archive, database, digests)
            files = list(_files(places.root, kept))
            for path in files:
                _add(archive, path.relative_to(places.root).as_posix(), path, digests)
            _put(archive, DIGESTS, json.dumps(digests).encode(), {})
        making.chmod(0o600)
        making.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        making.unlink(missing_ok=True)
    return len(files)


def restore(database: Database, places: Places, file: Path) -> int:
    """Into a data folder and a database that hold nothing yet. Every file is checked. Returns how many files of data
    there were. Raises UserError where there is something, BadModel where the file is damaged."""
    if any((places.root / name).exists() for name in ("uploads", "jobs")):
        raise UserError(f"{places.root} holds data already", hint="DLPIPE_DATA_DIR: an empty folder")
    with _opened(file) as archive:
        digests, about = _checked(archive), json.loads(_read(archive, ABOUT))
        if about["format"] != FORMAT:
            raise UserError(f"{file} was written by another version of dlpipe")
        database.migrate(about["revision"])
        with database.write() as session:
            _read_tables(archive, session.connection(), about["tables"])
        database.migrate()
        names = [name for name in digests if name.startswith(("uploads/", "jobs/"))]
        for name in names:
            archive.extract(name, places.root, filter="data")
    return len(names)


def _write_tables(archive: tarfile.TarFile, database: Database, digests: dict[str, str]) -> set[str]:
    """Returns the names of the jobs whose files do not change any more."""
    with database.snapshot() as session:
        connection = session.connection()
        tables = _tables(connection)
        (revision,) = connection.execute(text(f"SELECT version_num FROM {_VERSION}")).one()  # noqa: S608 - our own name
        for table in tables:
            rows = connection.execution_options(yield_per=_AT_ONCE).execute(select(table)).mappings()
            lines = b"".join(json.dumps(dict(row)).encode() + b"\n" for row in rows)
            _put(archive, f"{TABLES}/{table.name}.jsonl", lines, digests)
        jobs = next(table for table in tables if table.name == "jobs")
        kept = set(connection.execute(select(jobs.c.name).where(jobs.c.state.in_(FINAL))).scalars())
    about = {"format": FORMAT, "revision": revision, "tables": [table.name for table in tables]}
    _put(archive, ABOUT, json.dumps(about).encode(), digests)
    return kept


def _read_tables(archive: tarfile.TarFile, connection: Connection, names: list[str]) -> None:
    tables = {table.name: table for table in _tables(connection)}
    for table in tables.values():
        if connection.execute(select(func.count()).select_from(table)).scalar_one():
            raise UserError(f"the database holds {table.name} already", hint="DLPIPE_DATABASE: an empty one")
    for name in names:
        table, alike = tables[name], defaultdict[frozenset[str], list[dict[str, Any]]](list)
        for line in _read(archive, f"{TABLES}/{name}.jsonl").splitlines():
            row = {key: value for key, value in json.loads(line).items() if value is not None}
            alike[frozenset(row)].append(row)
        for rows in alike.values():  # what is not named is NULL
            connection.execute(table.insert(), rows)
        if connection.dialect.name == "postgresql" and "id" in table.c:  # its own count would begin at 1
            counter = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
            last = connection.execute(select(func.max(table.c.id))).scalar_one()
            if last is not None:
                connection.execute(counter, {"table": name, "last": last})


def _tables(connection: Connection) -> list[Table]:
    """As they are, whatever version made them; those that others name come first."""
    metadata = MetaData()
    metadata.reflect(connection, only=[name for name in inspect(connection).get_table_names() if name != _VERSION])
    for table in metadata.tables.values():
        for column in table.columns:
            if type(column.type).__name__ in ("JSON", "JSONB"):
                column.type = JSON(none_as_null=True)
    return list(metadata.sorted_tables)


def _files(root: Path, jobs: set[str]) -> Iterator[Path]:
    for name in ("uploads", "jobs"):
        for path in sorted((root / name).rglob("*")):
            wanted = path.suffix != ".part" if name == "uploads" else path.relative_to(root).parts[1] in jobs
            if wanted and path.is_file() and not path.is_symlink():
                yield path


def _add(archive: tarfile.TarFile, name: str, path: Path, digests: dict[str, str]) -> None:
    try:
        with path.open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            archive.addfile(_plain(archive.gettarinfo(arcname=name, fileobj=file)), file)
    except FileNotFoundError:  # removed meanwhile
        return


def _plain(found: tarfile.TarInfo) -> tarfile.TarInfo:
    """A file of several names is written under each: what is put back is whole by itself."""
    found.type, found.linkname = tarfile.REGTYPE, ""
    return found


def _put(archive: tarfile.TarFile, name: str, content: bytes, digests: dict[str, str]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))
    digests[name] = hashlib.sha256(content).hexdigest()


def _opened(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file)
    except (OSError, tarfile.TarError) as error:
        raise BadModel(f"{file} is no backup: {error}") from error


def _checked(archive: tarfile.TarFile) -> dict[str, str]:
    """The digests, once every file has been found to have its own. Raises BadModel."""
    digests: dict[str, str] = json.loads(_read(archive, DIGESTS))
    for name, digest in digests.items():
        if hashlib.file_digest(_member(archive, name), "sha256").hexdigest() != digest:  # type: ignore[arg-type]  # reads
            raise BadModel(f"{name} in the backup is damaged")
    return digests


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    return _member(archive, name).read()


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        found = archive.extractfile(name)
    except (KeyError, tarfile.TarError) as error:
        raise BadModel(f"the backup has no {name}: it is damaged") from error
    if found is None:
        raise BadModel(f"{name} in the backup is no file")
    return found
