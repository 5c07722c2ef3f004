"""`dlpipe pass`: what happens to a model between import and compilation."""

from __future__ import annotations

import typer

from dlpipe.cli import options as opt

passes = typer.Typer(help="The IR passes between import and compilation.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(passes, name="pass")


@passes.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the passes; exact ones keep the outputs up to rounding."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.passes.registry import pass_info, passes

    found = [pass_info(name) for name in passes()]
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        print_table(("name", "", "what it does"), [(p.name, "exact" if p.exact else "lossy", p.summary) for p in found])


@passes.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show one pass and its parameters."""
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.passes.registry import pass_info

    found = asdict(pass_info(name))
    if as_json:
        print_json(found)
    else:
        print_table(("", ""), [(key, value) for key, value in found.items()])
