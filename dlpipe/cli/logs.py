"""`dlpipe logs`: what a job of a service says."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dlpipe.cli.service import DEFAULT_SERVER, JobArgument, Server


def register(app: typer.Typer) -> None:
    app.command("logs")(logs)


def logs(
    job: JobArgument,
    server: Server = DEFAULT_SERVER,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Until the job has ended.")] = False,
) -> int:
    """Print the log of a service's job.

    \b
    Example:
      dlpipe logs -f job-0123456789abcdef
    """
    from dlpipe.cli.service import client, plain

    for text in client(server).logs(job, follow=follow):
        sys.stdout.write(plain(text))
        sys.stdout.flush()
    return 0
