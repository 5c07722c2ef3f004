"""PostgreSQL databases that several machines share."""

from __future__ import annotations

from importlib.util import find_spec

from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from dlpipe.errors import ToolMissing, UserError, how_to_add
from dlpipe.pipeline.sqlite import KEPT

_SECONDS = 20
_LOCK = 4_842_661_507  # made up once: those who make tables at the same time wait for each other


def open_engine(address: str, *, pooled: bool = False) -> tuple[Engine, str]:
    """Of `postgresql://user:password@host/database`, and the address without the password. `pooled`: for a process that
    stays; connections are kept, and looked at before each use. Raises UserError, ToolMissing."""
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise UserError("this is no address of a database", hint="postgresql://user:password@host/database") from None
    if url.get_backend_name() not in ("postgresql", "postgres"):
        raise UserError(
            f"{url.render_as_string(hide_password=True)}: only PostgreSQL is shared",
            hint="postgresql://user:password@host/database",
        )
    if find_spec("psycopg") is None:
        raise ToolMissing("PostgreSQL's driver is not installed", hint=how_to_add("postgresql"))
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        **(KEPT if pooled else {"poolclass": NullPool}),
        pool_pre_ping=pooled,
        connect_args={"connect_timeout": _SECONDS},
    )
    return engine, url.render_as_string(hide_password=True)


def one_at_a_time(connection: Connection) -> None:
    """Until the transaction ends: CREATE TABLE IF NOT EXISTS fails when two do it at once."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
