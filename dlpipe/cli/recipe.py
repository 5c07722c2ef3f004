"""`dlpipe recipe`: named chains of passes."""

from __future__ import annotations

import typer

from dlpipe.cli import options as opt

recipes = typer.Typer(help="Named chains of passes, for `compress` and `convert`.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(recipes, name="recipe")


@recipes.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the recipes that come with dlpipe."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.passes.recipes import recipes

    found = recipes().values()
    if as_json:
        print_json([each.model_dump(mode="json", by_alias=True) for each in found])
    else:
        chains = [" + ".join(step.name for step in each.steps) or "no pass" for each in found]
        print_table(
            ("name", "passes", "what it is for"),
            [(each.name, chain, each.summary) for each, chain in zip(found, chains, strict=True)],
        )


@recipes.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show one recipe as the file that it is: a copy of it, changed and renamed, is a recipe of your own.

    \b
    Each step names a pass (`dlpipe pass list`), and may have:
      params    what shall not be as `dlpipe pass show PASS` says
      optional  true: left out where it refuses the model or lacks its data
      search    what a search of compress tries instead: a list of values of
                a parameter, or { low, high }, or tables of parameters

    \b
    Examples:
      dlpipe recipe show balanced > mine.toml
      dlpipe compress model.onnx --data test.npz -o out.onnx --recipe mine.toml
    """
    from dlpipe.cli.output import print_json
    from dlpipe.passes.recipes import recipe, recipe_text

    found = recipe(name)
    if as_json:
        print_json(found.model_dump(mode="json", by_alias=True))
    else:
        typer.echo(recipe_text(name), nl=False)
