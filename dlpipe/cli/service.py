"""What the commands of the service and its client share."""

from __future__ import annotations

import logging
import os
import sys
import unicodedata
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from dlpipe.service.client import Client

JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Its id: job-...")]
Server = Annotated[
    str, typer.Option(envvar="DLPIPE_SERVER", help="The service's address; its token is in DLPIPE_TOKEN.")
]
DEFAULT_SERVER = "http://127.0.0.1:7070"


def client(server: str) -> Client:
    """Raises UserError."""
    from dlpipe.service.client import Client

    return Client(server, os.environ.get("DLPIPE_TOKEN"))


def log_to_stderr() -> None:
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", datefmt="%FT%T%z"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)


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


def ended(job: dict[str, Any]) -> int:
    """The exit code of a job that has ended; what is wrong with it is said on stderr."""
    error = job["error"]
    if job["state"] == "cancelled":
        sys.stderr.write(f"dlpipe: {job['id']} was cancelled\n")
    elif error is not None:
        sys.stderr.write(plain(f"dlpipe: {error['message']}") + "\n")
        if error.get("hint"):
            sys.stderr.write(plain(f"  what to do: {error['hint']}") + "\n")
    return int(job["exit_code"])
