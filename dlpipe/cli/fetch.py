"""`dlpipe fetch`: a job's output folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli.service import DEFAULT_SERVER, JobArgument, Server


def register(app: typer.Typer) -> None:
    app.command("fetch")(fetch)


def fetch(
    job: JobArgument,
    server: Server = DEFAULT_SERVER,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Output folder; by default ./dlpipe-out/JOB.")] = None,
) -> int:
    """Fetch the result of a service's job: the folder that `dlpipe convert` would have written.

    \b
    Example:
      dlpipe fetch job-0123456789abcdef --out out
    """
    from dlpipe.cli.service import client

    folder = out if out is not None else Path("dlpipe-out") / job
    kept = client(server).fetch(job, folder)
    typer.echo(f"report: {folder / 'report.html'}")
    if kept is not None:
        sys.stderr.write(f"dlpipe: the earlier result, which is another one, is kept as {kept}\n")
    return 0
