"""`dlpipe convert`: the whole journey."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli import typed
from dlpipe.cli.config import Config


def register(app: typer.Typer) -> None:
    app.command("convert")(convert)


def convert(
    model: Annotated[list[str], typer.Argument(help="Files or folders, zoo:NAME, or framework:PATH.")],
    target: opt.Targets,
    data: opt.Data = None,
    train_data: opt.TrainData = None,
    labels: opt.Labels = None,
    metric: opt.Metric = None,
    requirements: opt.Requirements = None,
    backend: opt.Backends = None,
    allow_fallback: opt.Fallback = None,
    precision: opt.Precision = "auto",
    recipe: opt.Recipes = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    route: opt.Route = None,
    reference: opt.Reference = None,
    max_accuracy_drop: opt.MaxAccuracyDrop = None,
    max_latency: opt.MaxLatency = None,
    max_size: opt.MaxSize = None,
    max_memory: opt.MaxMemory = None,
    min_speedup: opt.MinSpeedup = None,
    gate_confidence: opt.GateConfidence = None,
    require_verified: opt.RequireVerified = False,
    tune: opt.Tune = None,
    out: opt.Out = None,
    jobs: opt.Jobs = None,
    executor: opt.Executor = "local",
    config: Config = None,
    offline: opt.Offline = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before installing toolchains.")] = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
    no_color: opt.NoColor = False,
) -> int:
    """Convert a model for a target, and measure every step against the original.

    \b
    Examples:
      dlpipe convert model.pb --target arm64
      dlpipe convert model.pb -t arm64 --data clips/ --precision int8 \\
          --max-accuracy-drop 0.5%
      dlpipe convert zoo:arm-kws-ds-cnn-s -t x86-64 -t arm64 --json
    """
    del config  # read before the others, by its callback
    from dlpipe.cli.journey import Journey
    from dlpipe.errors import UserError
    from dlpipe.pipeline.by_metric import with_requirements
    from dlpipe.pipeline.limits import UserLimits, parse_duration
    from dlpipe.pipeline.request import ConvertRequest, find_recipes, import_options, parse_confidence, parse_precision

    if out is not None and len(model) > 1:
        raise UserError("--out names one folder, and there is more than one model")
    recipes = find_recipes(recipe, precision)
    requests = [
        ConvertRequest(
            model=each,
            targets=tuple(dict.fromkeys(target)),
            backends=tuple(dict.fromkeys(backend or ())),
            precision=parse_precision(precision),
            allow_fallback=allow_fallback,
            recipes=recipes,
            data=data,
            train_data=train_data,
            labels=labels,
            metric=with_requirements(metric, requirements),
            reference=reference,
            options=import_options(input_, output, shape, unsafe_load, factory, route, preprocess),
            limits=UserLimits.parse(
                max_accuracy_drop=max_accuracy_drop,
                max_latency=max_latency,
                max_size=max_size,
                max_memory=max_memory,
                min_speedup=min_speedup,
            ),
            gate_confidence=parse_confidence(gate_confidence),
            require_verified=require_verified,
            tune=parse_duration(tune, "--tune"),
            out=out,
            command=typed.command(),
        )
        for each in model
    ]
    journey = Journey(
        offline=offline, jobs=jobs, executor=executor, as_json=as_json, verbose=verbose, color=not no_color
    )
    codes = [journey.plan(each) if dry_run else journey.convert(each, ask=not yes) for each in requests]
    return max(codes)
