"""`dlpipe status`: a service's jobs."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.service import DEFAULT_SERVER, Server


def register(app: typer.Typer) -> None:
    app.command("status")(status)


def status(
    job: Annotated[str | None, typer.Argument(metavar="JOB", help="Its id; none: your team's newest.")] = None,
    server: Server = DEFAULT_SERVER,
    state: Annotated[
        str | None, typer.Option(help="Only those: queued, running, succeeded, failed, cancelled.")
    ] = None,
    search: Annotated[str | None, typer.Option(help="In model, label, targets and backends.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    boards: Annotated[bool, typer.Option("--boards", help="The boards of the service's farm instead.")] = False,
    as_json: opt.AsJson = False,
) -> int:
    """Show one job of a service, or your team's newest.

    \b
    Examples:
      dlpipe status
      dlpipe status job-0123456789abcdef
      dlpipe status --state failed --search keyword
      dlpipe status --boards
    """
    from dlpipe.cli.output import print_json
    from dlpipe.cli.service import client, print_boards, print_jobs

    service = client(server)
    if boards:
        found = service.boards()
        if as_json:
            print_json(found)
        elif found:
            print_boards(found)
        else:
            typer.echo("no boards")
        return 0
    if job is None:
        found = service.jobs(state=state, q=search, limit=limit)
        if as_json:
            print_json(found)
        elif found:
            print_jobs(found)
        else:
            typer.echo("no jobs")
        return 0
    one = service.job(job)
    if as_json:
        print_json(one)
    else:
        _print(one)
    return 0


def _print(job: dict[str, Any]) -> None:
    from dlpipe.cli.service import plain

    cancelling = ", being cancelled" if job["cancel_requested"] and job["state"] == "running" else ""
    lines = {
        "state": job["state"] + cancelling,
        "model": job["title"],
        "label": job["label"],
        "targets": ", ".join(job["targets"]),
        "created": job["created"],
        "started": job["started"],
        "finished": job["finished"],
        "attempt": job["attempt"] or None,
        "exit code": job["exit_code"],
        "error": job["error"] and job["error"]["message"],
        "to do": job["error"] and job["error"].get("hint"),
    }
    typer.echo(job["id"])
    for name, value in lines.items():
        if value not in (None, ""):
            typer.echo(f"  {name:<10}{plain(str(value))}")
    if job["has_result"]:
        typer.echo(f"  its files: dlpipe fetch {job['id']} --out DIR")
