"""`dlpipe cancel`: end a job of a service."""

from __future__ import annotations

import typer

from dlpipe.cli.service import DEFAULT_SERVER, JobArgument, Server


def register(app: typer.Typer) -> None:
    app.command("cancel")(cancel)


def cancel(job: JobArgument, server: Server = DEFAULT_SERVER) -> int:
    """Cancel a service's job; one that has ended stays as it is.

    \b
    Example:
      dlpipe cancel job-0123456789abcdef
    """
    from dlpipe.cli.service import client

    found = client(server).cancel(job)
    going = found["state"] == "running"
    typer.echo(f"{job}: {'being cancelled' if going else found['state']}")
    return 0
