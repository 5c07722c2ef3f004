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
    """List the targets, and how artefacts for them are executed here."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_groups, print_json
    from dlpipe.targets.registry import targets

    found = list(targets().values())
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        kinds = {kind: [each for each in found if each.kind == kind] for kind in _KINDS}
        groups = {_KINDS[kind]: [(each.name, each.runner, each.summary) for each in kinds[kind]] for kind in kinds}
        print_groups({title: rows for title, rows in groups.items() if rows})
        typer.echo("\nThe second column says how artefacts are executed here. What makes them: dlpipe target show NAME")


_KINDS = {"cpu": "processors", "gpu": "GPUs", "npu": "NPUs", "fpga": "FPGAs", "mcu": "microcontrollers"}


@target.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show what is known of one target.

    \b
    Example:
      dlpipe target show arm64
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json
    from dlpipe.cli.target_page import print_page
    from dlpipe.targets.known import known
    from dlpipe.targets.registry import target as find_target

    found = find_target(name)
    if as_json:
        print_json({**asdict(found), "known": [asdict(each) for each in known(found)]})
    else:
        print_page(found, known(found))


@target.command()
def add(file: Annotated[Path, typer.Argument(help="A .toml; `target show NAME --json` prints every field.")]) -> None:
    """Add a board of your own: a file that says what is different from a known one.

    \b
    Example:
      dlpipe target add my-board.toml
    \b
    where my-board.toml is
      name = "my-board"
      extends = "arm64-cortex-a76"
      summary = "the board on my desk"
      [options.tvm]
      mcpu = "cortex-a78"
    """
    from dlpipe.targets.registry import add as add_target
    from dlpipe.targets.registry import targets, user_folder

    before = set(targets())
    name = add_target(file).name
    place = user_folder() / f"{name}.toml"
    replaced = " in place of the target of that name that there was" if name in before else ""
    typer.echo(f"added {name}{replaced}: {place}, which you may delete")
    typer.echo(f"  dlpipe target show {name}")
