"""`dlpipe zoo`: real models that come with dlpipe."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli import typed

zoo = typer.Typer(help="Real trained models that come with dlpipe: its own proof.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(zoo, name="zoo")


@zoo.command("list")
def list_(as_json: opt.AsJson = False) -> None:
    """List the models."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.pipeline.zoo import zoo_models

    found = zoo_models()
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
    else:
        print_table(("name", "framework", "what it is"), [(m.name, m.framework, m.title) for m in found])


@zoo.command()
def show(name: str, as_json: opt.AsJson = False) -> None:
    """Show one model: origin, licence, data, expected figures."""
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.pipeline.zoo import find_zoo_model

    found = find_zoo_model(name).model_dump(mode="json")
    if as_json:
        print_json(found)
    else:
        print_table(("", ""), [(key, value) for key, value in found.items() if value])


@zoo.command()
def run(
    name: str,
    target: Annotated[list[str] | None, typer.Option("--target", "-t", help="Default: the recipe's.")] = None,
    out: opt.Out = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before installing toolchains.")] = False,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
    no_color: opt.NoColor = False,
) -> int:
    """Convert a model of the zoo by its recipe, and hold the result against the expected figures.

    \b
    Example:
      dlpipe zoo run mlperf-tiny-kws --target arm64
    """
    from dlpipe.cli.journey import Journey
    from dlpipe.pipeline.request import ConvertRequest
    from dlpipe.pipeline.zoo import find_zoo_model

    model = find_zoo_model(name)
    request = ConvertRequest(
        model=f"zoo:{name}",
        targets=tuple(target or model.recipe.target),
        data=str(model.data) if model.data else None,
        out=out,
        command=typed.command(),
        expected=model.expected,
    )
    journey = Journey(offline=offline, jobs=None, as_json=as_json, verbose=verbose, color=not no_color)
    return journey.convert(request, ask=not yes)
