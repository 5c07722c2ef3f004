"""`dlpipe retry`: have a job of a service tried again."""

from __future__ import annotations

import typer

from dlpipe.cli.service import DEFAULT_SERVER, JobArgument, Server


def register(app: typer.Typer) -> None:
    app.command("retry")(retry)


def retry(job: JobArgument, server: Server = DEFAULT_SERVER) -> int:
    """Try a service's job again that failed or was cancelled; what its attempts had
    finished is not computed again.

    \b
    Example:
      dlpipe retry job-0123456789abcdef
    """
    from dlpipe.cli.service import client

    found = client(server).retry(job)
    typer.echo(f"{job}: {found['state']}")
    return 0
