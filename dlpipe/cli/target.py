"""`dlpipe target`: hardware as data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt

target = typer.Typer(help="The hardware that dlpipe knows.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(target, name="target")


@target.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the targets."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.targets.registry import targets

    found = list(targets().values())
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        print_table(
            ("name", "executed", "backends", "what it is"),
            [(each.name, each.runner, " ".join(each.backends), each.summary) for each in found],
        )


@target.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show what is known of one target.

    \b
    Example:
      dlpipe target show arm64
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.targets.registry import target as find_target

    found = asdict(find_target(name))
    if as_json:
        print_json(found)
    else:
        print_table(("", ""), [(key, _text(value)) for key, value in found.items() if value])


@target.command()
def add(file: Annotated[Path, typer.Argument(help="A .toml with the fields that `target show` prints.")]) -> None:
    """Add a board of your own.

    \b
    Example:
      dlpipe target add my-board.toml
    """
    from dlpipe.targets.registry import add as add_target

    typer.echo(f"added {add_target(file).name}")


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{key}: {_text(each)}" for key, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
