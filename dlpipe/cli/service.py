"""`dlpipe service`, for who runs one; and what the commands of the service and its client share."""

from __future__ import annotations

import os
import sys
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlpipe.cli import options as opt

if TYPE_CHECKING:
    from dlpipe.service.audit import Action
    from dlpipe.service.client import Client
    from dlpipe.service.database import Database
    from dlpipe.service.loglines import LogFormat

service = typer.Typer(help="Look after a service's data, beside it or while it runs.", no_args_is_help=True)
BackupFile = Annotated[Path, typer.Argument(metavar="FILE", help="A tar file.")]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its id: job-...")]
Server = Annotated[
    str, typer.Option(envvar="DLPIPE_SERVER", help="The service's address; its token is in DLPIPE_TOKEN.")
]
DEFAULT_SERVER = "http://127.0.0.1:7070"


def register(app: typer.Typer) -> None:
    app.add_typer(service, name="service")


@service.command()
def gc(
    keep_days: Annotated[float, typer.Option(min=0, help="What ended, or was last used, longer ago goes.")],
    keep_audit_days: Annotated[
        float | None, typer.Option(min=0, help="Remove older rows of the audit log, too; by default none.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: opt.AsJson = False,
) -> None:
    """Remove jobs that ended, attempts that another followed, uploads and stages
    that nobody needs. `dlpipe serve --keep-days` does it every hour.

    \b
    Examples:
      DLPIPE_DATA_DIR=/srv/dlpipe dlpipe service gc --keep-days 30 --dry-run
      DLPIPE_DATA_DIR=/srv/dlpipe dlpipe service gc --keep-days 30
    """
    from dataclasses import asdict

    from dlpipe.cli.output import human_size, print_json
    from dlpipe.report.words import several
    from dlpipe.service.audit import Actor
    from dlpipe.service.database import open_database
    from dlpipe.service.gc import collect, trim_audit
    from dlpipe.service.places import Places

    places = Places.of_environment()
    database = open_database(places.checked().database)
    actor = Actor.of_command()
    found = collect(database, places, keep_days, actor=actor, dry_run=dry_run)
    rows = trim_audit(database, keep_audit_days, actor=actor, dry_run=dry_run) if keep_audit_days is not None else 0
    database.close()
    if as_json:
        print_json({**asdict(found), "audit_rows": rows})
        return
    kinds = {"job": found.jobs, "attempt": found.attempts, "upload": found.uploads}
    counts = ", ".join(several(len(each), kind) for kind, each in kinds.items())
    typer.echo(f"{'would remove' if dry_run else 'removed'} {counts}: {human_size(found.bytes)}")
    if found.bucket is not None:
        did = "would drop" if dry_run else "dropped"
        typer.echo(
            f"in the bucket: {did} {several(found.bucket.records, 'record')}, moved aside "
            f"{several(found.bucket.objects, 'object')} of {human_size(found.bucket.bytes)}, "
            f"freed {human_size(found.bucket.emptied)}"
        )
    if keep_audit_days is not None:
        typer.echo(f"{'would remove' if dry_run else 'removed'} {several(rows, 'row')} of the audit log")


@service.command()
def backup(file: BackupFile) -> None:
    """Write the database and the files of a service into one tar file; it may run
    meanwhile. Stage caches are left out.

    \b
    Example:
      DLPIPE_DATA_DIR=/srv/dlpipe dlpipe service backup monday.tar
    """
    from dlpipe.report.words import several
    from dlpipe.service.backup import backup as write
    from dlpipe.service.database import open_database
    from dlpipe.service.places import Places

    places = Places.of_environment().checked()
    database = open_database(places.database)
    count = write(database, places, file)
    _record(database, "service.backup", file)
    database.close()
    typer.echo(f"{file}: the database and {several(count, 'file')}")


@service.command()
def restore(file: BackupFile) -> None:
    """Put a backup into an empty DLPIPE_DATA_DIR and an empty database, of either
    kind. Jobs that ran are gone on with.

    \b
    Example:
      DLPIPE_DATA_DIR=/srv/new dlpipe service restore monday.tar
    """
    from dlpipe.report.words import several
    from dlpipe.service.backup import restore as read
    from dlpipe.service.database import open_database
    from dlpipe.service.places import Places

    places = Places.of_environment()
    places.make()
    database = open_database(places.database)
    count = read(database, places, file)
    _record(database, "service.restore", file)
    database.close()
    typer.echo(f"{places.root}: the database and {several(count, 'file')} of {file}")


@service.command()
def audit(
    team: Annotated[str | None, typer.Option(help="What its tokens did.")] = None,
    actor: Annotated[str | None, typer.Option(help="The name of a token, or of who ran a command.")] = None,
    action: Annotated[str | None, typer.Option(help="Such as token.create; see --json.")] = None,
    since: Annotated[datetime | None, typer.Option(help="UTC.")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC, itself excluded.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="So many rows, the newest.")] = 100,
    as_json: opt.AsJson = False,
) -> None:
    """Who did what in every team, the newest first, as `GET /api/v1/audit` and the
    administrator's page tell it.

    \b
    Example:
      DLPIPE_DATA_DIR=/srv/dlpipe dlpipe service audit --action token.create
    """
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.errors import UserError
    from dlpipe.service.audit import ACTIONS, Wanted, find, is_kept, shown
    from dlpipe.service.database import open_database
    from dlpipe.service.places import Places

    if action is not None and action not in ACTIONS:
        raise UserError(f"there is no action {action!r}", hint=f"there are: {', '.join(ACTIONS)}")
    first, last = (each.replace(tzinfo=UTC).timestamp() if each is not None else None for each in (since, until))
    database = open_database(Places.of_environment().checked().database)
    with database.read() as session:
        rows = find(session, Wanted(team, actor, action, first, last), limit) if is_kept(session) else []
        found = [shown(each) for each in rows]
    database.close()
    if as_json:
        print_json(found)
        return
    head = ("time (UTC)", "team", "who", "from", "action", "outcome", "what")
    print_table(head, [(_short(each["time"]), each["team"], *map(plain, _told(each))) for each in found])


def _short(time: str) -> str:
    return time[:19].replace("T", " ")


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    details = ", ".join(f"{name}={value}" for name, value in row["details"].items())
    what = f"{row['subject']} ({details})" if details else row["subject"]
    return row["actor"], row["address"], row["action"], row["outcome"], what.strip()


def _record(database: Database, action: Action, file: Path) -> None:
    """In the audit log, unless the database is an older version's, which is kept as it is."""
    from dlpipe.service.audit import Actor, is_kept, record

    with database.write() as session:
        if is_kept(session):
            record(session, database.now(session), Actor.of_command(), action, str(file))


def client(server: str) -> Client:
    """Raises UserError."""
    from dlpipe.service.client import Client

    return Client(server, os.environ.get("DLPIPE_TOKEN"))


def plain(text: str) -> str:
    """Without what would move a terminal's cursor or change its colours: names and logs come from strangers."""
    return "".join(c if c in "\n\t" or unicodedata.category(c)[0] != "C" else "�" for c in text)


def print_jobs(jobs: list[dict[str, Any]]) -> None:
    from dlpipe.cli.output import print_table

    rows = [
        (
            each["id"],
            each["state"],
            each["created"][:16].replace("T", " "),
            plain(each["title"]),
            ",".join(each["targets"]),
        )
        for each in jobs
    ]
    print_table(("job", "state", "created (UTC)", "model", "target"), rows)


def print_boards(boards: list[dict[str, Any]]) -> None:
    from dlpipe.cli.output import print_table

    rows = [
        (
            each["name"],
            each["target"],
            each["health"],
            each["seen"][:19].replace("T", " "),
            f"{each['cores']} x {plain(each['processor']) or each['machine']}",
            ",".join(each["runtimes"]),
        )
        for each in boards
    ]
    print_table(("board", "target", "health", "last heard of (UTC)", "processor", "has"), rows)


def checked_log_format(text: str) -> LogFormat:
    """Raises UserError."""
    from dlpipe.errors import UserError

    match text:
        case "text" | "json":
            return text
    raise UserError(f"--log-format {text!r} is neither text nor json")


def parse_size(text: str, option: str) -> int:
    """`500MB`, `4GB` -> bytes. Raises UserError."""
    from dlpipe.errors import UserError
    from dlpipe.pipeline.limits import UserLimits

    try:
        found = UserLimits.parse(max_size=text).max_size
    except UserError:
        raise UserError(f"{option} {text!r} is not a size", hint="e.g. 500MB, 4GB") from None
    assert found is not None
    return int(found)


def ended(job: dict[str, Any], said: str = "") -> int:
    """The exit code of a job that has ended; what is wrong with it is said on stderr, unless its log, `said`, has."""
    error = job["error"]
    if job["state"] == "cancelled":
        sys.stderr.write(f"dlpipe: {job['id']} was cancelled\n")
    elif error is not None:
        told = f"dlpipe: {error['message']}" + (f"\n  what to do: {error['hint']}" if error.get("hint") else "")
        if plain(told) + "\n" not in said:
            sys.stderr.write(plain(told) + "\n")
    return int(job["exit_code"])
