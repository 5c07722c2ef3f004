"""`dlpipe plan`: what convert would do."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.config import Config


def register(app: typer.Typer) -> None:
    app.command("plan")(plan)


def plan(
    model: Annotated[list[str], typer.Argument(help="Files or folders, zoo:NAME, or framework:PATH.")],
    target: opt.Targets,
    data: opt.Data = None,
    backend: opt.Backends = None,
    allow_fallback: opt.Fallback = None,
    precision: opt.Precision = "auto",
    recipe: opt.Recipes = None,
    input_: opt.Inputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    config: Config = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Say what convert would do, and what it would install, without doing it. Exit code 3 where nothing is left.

    \b
    Example:
      dlpipe plan model.pb --target arm64 --precision int8
    """
    del config  # read before the others, by its callback
    from dlpipe.cli.journey import Journey
    from dlpipe.pipeline.request import ConvertRequest, find_recipes, import_options, parse_precision

    journey = Journey(offline=offline, jobs=None, as_json=as_json, verbose=verbose, color=True)
    requests = [
        ConvertRequest(
            model=each,
            targets=tuple(dict.fromkeys(target)),
            backends=tuple(backend or ()),
            precision=parse_precision(precision),
            allow_fallback=allow_fallback,
            recipes=find_recipes(recipe, precision),
            data=data,
            options=import_options(input_, None, shape, unsafe_load, factory),
        )
        for each in model
    ]
    return max([journey.plan(each) for each in requests])
