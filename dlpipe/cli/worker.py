"""`dlpipe worker`: runs the service's jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli.options import Executor
from dlpipe.cli.serve import Lease, LogFormat


def register(app: typer.Typer) -> None:
    app.command("worker")(worker)


def worker(
    lease: Lease = 30.0,
    executor: Executor = "local",
    log_format: LogFormat = "text",
    parent: Annotated[int | None, typer.Option(hidden=True, help="End with this process.")] = None,
) -> int:
    """Run the jobs of a service, one after the other. `dlpipe serve` starts one by itself.

    \b
    Example:
      DLPIPE_DATA_DIR=/srv/dlpipe DLPIPE_DATABASE=postgresql://... dlpipe worker
    \b
    It needs the service's database, and its data folder or DLPIPE_STORE_URL, the
    bucket that both share. SIGTERM stops it; the job that it runs goes back into
    the queue, and is gone on with by another.
    """
    from dlpipe.cli.service import checked_log_format
    from dlpipe.service.loglines import log_to_stderr
    from dlpipe.service.places import Places
    from dlpipe.service.worker import run_worker

    log_to_stderr(checked_log_format(log_format))
    run_worker(Places.of_environment(), lease_seconds=lease, executor=executor, parent=parent)
    return 0
