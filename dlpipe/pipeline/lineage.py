"""Where everything comes from: data set and source -> stages -> model -> artefact -> measurement -> published package,
over all runs.

A SQLite file that many processes share, or a PostgreSQL database. Everything is named by digest, so what one run made
and another used is one chain.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, ColumnElement, ForeignKey, select, true
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

from dlpipe.errors import UserError
from dlpipe.pipeline import postgresql
from dlpipe.pipeline.sqlite import make_tables, open_engine
from dlpipe.toolchains.manager import default_cache_dir

VARIABLE = "DLPIPE_LINEAGE"
FILE = "lineage.sqlite"  # in a cache


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEntry:
    """A stage that ended well. `inputs`: name -> digest of the folder; `toolchains`: name -> digest of the lock."""

    stage: str
    kind: str
    key: str
    output: str | None
    inputs: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, Any] = field(default_factory=dict)
    toolchains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactEntry:
    digest: str
    target: str
    backend: str
    variant: str
    verdict: str
    path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementEntry:
    """A figure (see contracts/figure.py) about what has the digest `subject`."""

    subject: str
    name: str
    value: float | int | str | bool | None
    unit: str | None = None
    provenance: str = "measured"
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntry:
    """`created` in UTC, ISO 8601. `sources`: what the user gave, "model" or "data" -> digest of its folder."""

    run: str
    created: str
    command: str | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    stages: tuple[StageEntry, ...] = ()
    artifacts: tuple[ArtifactEntry, ...] = ()
    measurements: tuple[MeasurementEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicationEntry:
    """What became of the artefact with the digest `subject`: "signed", "encrypted" or "pushed", to `place` (a folder or
    an address in a registry). `identity`: the key's fingerprint, the recipients, or the manifest's digest."""

    subject: str
    kind: str
    place: str
    identity: str
    created: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """All that led to an artefact, and what became of it. `stages` in an order in which each comes after those that it
    needs; `sources`: digests that no stage made -> the name under which a user gave them (or the name of the input)."""

    artifact: ArtifactEntry
    run: str
    stages: tuple[StageEntry, ...]
    sources: Mapping[str, str]
    measurements: tuple[MeasurementEntry, ...]
    publications: tuple[PublicationEntry, ...] = ()


class _Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, Any: JSON}  # noqa: RUF012 - SQLAlchemy reads a plain class attribute


class _Run(_Base):
    __tablename__ = "runs"
    run: Mapped[str] = mapped_column(primary_key=True)
    created: Mapped[str]
    command: Mapped[str | None]
    sources: Mapped[dict[str, Any]]
    stages: Mapped[list[_Stage]] = relationship(cascade="all, delete-orphan", order_by="_Stage.id")
    artifacts: Mapped[list[_Artifact]] = relationship(cascade="all, delete-orphan", order_by="_Artifact.id")
    measurements: Mapped[list[_Measurement]] = relationship(cascade="all, delete-orphan", order_by="_Measurement.id")


class _OfRun(_Base):
    __abstract__ = True
    id: Mapped[int] = mapped_column(primary_key=True)
    run: Mapped[str] = mapped_column(ForeignKey("runs.run", ondelete="CASCADE"), index=True)


class _Stage(_OfRun):
    __tablename__ = "stages"
    stage: Mapped[str]
    kind: Mapped[str]
    key: Mapped[str]
    output: Mapped[str | None] = mapped_column(index=True)
    inputs: Mapped[dict[str, Any]]
    parameters: Mapped[dict[str, Any]]
    toolchains: Mapped[dict[str, Any]]


class _Artifact(_OfRun):
    __tablename__ = "artifacts"
    digest: Mapped[str] = mapped_column(index=True)
    target: Mapped[str]
    backend: Mapped[str]
    variant: Mapped[str]
    verdict: Mapped[str]
    path: Mapped[str | None]


class _Measurement(_OfRun):
    __tablename__ = "measurements"
    subject: Mapped[str] = mapped_column(index=True)
    name: Mapped[str]
    value: Mapped[Any]
    unit: Mapped[str | None]
    provenance: Mapped[str]
    reason: Mapped[str | None]


class _Publication(_Base):
    """Of no run: a package outlives the record of the run that made it. The same again takes the place of the first."""

    __tablename__ = "publications"
    subject: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    identity: Mapped[str]
    created: Mapped[str]


def users_lineage() -> Lineage:
    """In the database that DLPIPE_LINEAGE names, which a team shares; by default in a file of the cache."""
    return Lineage(os.environ.get(VARIABLE) or default_cache_dir() / FILE)


class Lineage:
    """In an SQLite file, or in a PostgreSQL database (`postgresql://...`). Raises UserError wherever it cannot be read
    or written."""

    def __init__(self, place: Path | str) -> None:
        if isinstance(place, Path):
            place.parent.mkdir(parents=True, exist_ok=True)
            self._engine, self._place = open_engine(place), str(place)
        else:
            self._engine, self._place = postgresql.open_engine(place)
        with self._trouble(), self._engine.begin() as connection:
            if not isinstance(place, Path):
                postgresql.one_at_a_time(connection)
            make_tables(connection, _Base.metadata)

    def record_run(self, entry: RunEntry) -> None:
        """Keep a run; one recorded before under the same id is replaced."""
        with self._session() as session:
            if (old := session.get(_Run, entry.run)) is not None:
                session.delete(old)
                session.flush()
            session.add(
                _Run(
                    run=entry.run,
                    created=entry.created,
                    command=entry.command,
                    sources=dict(entry.sources),
                    stages=[_Stage(**asdict(each)) for each in entry.stages],
                    artifacts=[_Artifact(**asdict(each)) for each in entry.artifacts],
                    measurements=[_Measurement(**asdict(each)) for each in entry.measurements],
                )
            )

    def record_publications(self, entries: Iterable[PublicationEntry]) -> None:
        """Keep what was published; the same kind at the same place is replaced."""
        with self._session() as session:
            for entry in entries:
                session.merge(_Publication(**asdict(entry)))

    def runs(self) -> list[RunEntry]:
        """All, newest first."""
        with self._session() as session:
            return [_run(row) for row in session.scalars(select(_Run).order_by(_Run.created.desc(), _Run.run))]

    def run(self, run_id: str) -> RunEntry:
        """Raises LookupError."""
        with self._session() as session:
            row = session.get(_Run, run_id)
            if row is None:
                raise LookupError(f"no run {run_id}")
            return _run(row)

    def of_artifact(self, digest: str, only: str | None = None) -> History:
        """By its digest or a unique beginning of it, as its newest run made it. only: a run, beside which nothing of
        other runs is looked at: they may be somebody else's. Raises LookupError."""
        with self._session() as session:
            found = list(
                session.scalars(
                    select(_Artifact)
                    .join(_Run)
                    .where(_Artifact.digest.startswith(digest, autoescape=True), _of_run(_Run.run, only))
                    .order_by(_Run.created.desc(), _Artifact.id)
                )
            )
            if len({row.digest for row in found}) != 1:
                raise LookupError(f"{'several artefacts begin' if found else 'no artefact begins'} with {digest}")
            row = found[0]
            stages, sources = _trace(session, row.digest, row.run, only)
            subjects = {row.digest} | {stage.output for stage in stages}
            measured = session.scalars(
                select(_Measurement).where(_Measurement.run == row.run, _Measurement.subject.in_(subjects))
            )
            return History(
                artifact=_artifact(row),
                run=row.run,
                stages=tuple(stages),
                sources=sources,
                measurements=tuple(_measurement(each) for each in measured),
                publications=tuple(
                    _publication(each)
                    for each in session.scalars(
                        select(_Publication)
                        .where(_Publication.subject == row.digest)
                        .order_by(_Publication.created, _Publication.kind, _Publication.place)
                    )
                ),
            )

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with self._trouble(), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except DatabaseError as error:
            hint = "it holds the history of all runs; restore it, or move it away to begin a new one"
            if self._engine.name != "sqlite":
                hint = f"look at the server, and at what {VARIABLE} says"
            raise UserError(f"cannot use {self._place}: {' '.join(str(error.orig).split())}", hint=hint) from error


def _of_run(column: Any, only: str | None) -> ColumnElement[bool]:
    return true() if only is None else column == only


def _trace(session: Session, digest: str, run: str, only: str | None) -> tuple[list[StageEntry], dict[str, str]]:
    """Walk from an output back to what no stage made. A stage of the same run is preferred to one of another."""
    ordered: list[StageEntry] = []
    sources: dict[str, str] = {}
    given: dict[str, str] = {}
    for sources_of_run in session.scalars(select(_Run.sources).where(_of_run(_Run.run, only))):
        given |= {source: name for name, source in sources_of_run.items()}
    done: set[str] = set()
    todo: list[tuple[str, str, _Stage | None]] = [(digest, "artifact", None)]
    while todo:
        wanted, name, maker = todo.pop()
        if maker is not None:  # all it needs has been seen to
            ordered.append(_stage(maker))
            continue
        if wanted in done:
            continue
        done.add(wanted)
        row = _maker(session, wanted, run, only)
        if row is None:
            sources[wanted] = given.get(wanted, name)
            continue
        todo.append((wanted, name, row))
        todo += [(needed, label, None) for label, needed in sorted(row.inputs.items(), reverse=True)]
    return ordered, sources


def _maker(session: Session, output: str, run: str, only: str | None) -> _Stage | None:
    """What made it. A pass that found nothing to do hands its input on: it is not where that came from."""
    wanted = select(_Stage).where(_Stage.output == output, _of_run(_Stage.run, only)).order_by(_Stage.id.desc())
    rows: Iterable[_Stage] = session.scalars(wanted)
    makers = (row for row in rows if output not in row.inputs.values())
    return min(makers, key=lambda row: row.run != run, default=None)


def _run(row: _Run) -> RunEntry:
    return RunEntry(
        run=row.run,
        created=row.created,
        command=row.command,
        sources=row.sources,
        stages=tuple(_stage(each) for each in row.stages),
        artifacts=tuple(_artifact(each) for each in row.artifacts),
        measurements=tuple(_measurement(each) for each in row.measurements),
    )


def _stage(row: _Stage) -> StageEntry:
    return StageEntry(**_fields(row, StageEntry))


def _artifact(row: _Artifact) -> ArtifactEntry:
    return ArtifactEntry(**_fields(row, ArtifactEntry))


def _measurement(row: _Measurement) -> MeasurementEntry:
    return MeasurementEntry(**_fields(row, MeasurementEntry))


def _publication(row: _Publication) -> PublicationEntry:
    return PublicationEntry(**_fields(row, PublicationEntry))


def _fields(row: _Base, entry: type[Any]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in entry.__dataclass_fields__}
