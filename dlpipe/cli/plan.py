"""`dlpipe plan`: what convert would do."""

from __future__ import annotations

import inspect
from typing import Any

import typer

from dlpipe.cli.convert import convert

_OF_CONVERT_ALONE = ("dry_run", "yes")


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(**options: Any) -> int:
    """Say what convert would do, and what it would install, without doing it. Exit code 3 where nothing is left.

    It takes every option of convert, so that the one becomes the other by a word.

    \b
    Example:
      dlpipe plan model.pb --target arm64 --precision int8
    """
    return convert(**options, dry_run=True)


def _signature() -> inspect.Signature:
    """That of convert, by which typer finds the options, without those that have no sense here."""
    own = inspect.signature(convert, eval_str=True)
    return own.replace(
        parameters=[each for each in own.parameters.values() if each.name not in _OF_CONVERT_ALONE],
    )


plan.__signature__ = _signature()  # type: ignore[attr-defined]  # inspect looks for it; mypy knows no such attribute
