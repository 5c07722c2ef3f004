"""`dlpipe pass`: what happens to a model between import and compilation."""

from __future__ import annotations

import typer

from dlpipe.cli import options as opt

_NEEDS = {
    "samples": "samples to look at (--data)",
    "train": "samples to train on (--train-data, or a part of --data)",
    "teacher": "the original as teacher",
}

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
    """Show one pass, what it needs, and its parameters: what they mean, their defaults, and which values they take."""
    import json
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.passes.known.parameters import explained
    from dlpipe.passes.registry import pass_info

    found = pass_info(name)
    known = explained(found)
    if as_json:
        print_json({**asdict(found), "explained": {key: each._asdict() for key, each in known.items()}})
        return
    typer.echo(f"{found.name} ({'exact' if found.exact else 'lossy'}): {found.summary}")
    if found.needs:
        typer.echo(f"needs {', '.join(_NEEDS.get(need, need) for need in found.needs)}")
    if found.changes_interface:
        typer.echo("inputs, outputs or their shapes may be others afterwards")
    if found.gathers:
        typer.echo(f"takes {found.gathers} as {found.name}:NAME=NUMBER")
    rows = [
        (key, json.dumps(value), known[key].values, known[key].meaning)
        for key, value in found.defaults.items()
        if key != found.gathers
    ]
    if rows:
        typer.echo("")
        print_table(("parameter", "default", "values", "what it means"), rows)
