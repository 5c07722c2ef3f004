"""`dlpipe compress`: quantise, prune, distil, under limits."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli import typed
from dlpipe.cli.config import Config


def register(app: typer.Typer) -> None:
    app.command("compress")(compress)


def compress(
    model: opt.Model,
    out: opt.OnnxOut,
    data: opt.Data = None,
    train_data: opt.TrainData = None,
    made_up_data: Annotated[
        int,
        typer.Option(
            min=0,
            help="Where there is no data: make up that many samples from what batch norms hold, e.g. 512; half of them "
            "to calibrate and train on, the rest to judge by.",
        ),
    ] = 0,
    labels: opt.Labels = None,
    metric: opt.Metric = None,
    requirements: opt.Requirements = None,
    recipe: opt.Recipes = None,
    target: Annotated[str | None, typer.Option("--target", "-t", help="Default: this machine.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", "-b", help="Time what this compiler makes of it; default: ONNX Runtime.")
    ] = None,
    minimise: Annotated[
        str | None,
        typer.Option(
            help="latency or size; by default what the limits ask for, else latency on this machine, and size for "
            "another or where --recipe is given without --target."
        ),
    ] = None,
    max_accuracy_drop: Annotated[str | None, typer.Option(help="In points of the metric; default 0.5%.")] = None,
    max_latency: opt.MaxLatency = None,
    max_size: Annotated[str | None, typer.Option(help="Of the model's file, e.g. 1MB.")] = None,
    max_memory: opt.MaxMemory = None,
    min_speedup: Annotated[
        str | None, typer.Option(help="Against the uncompressed model on the same runtime, e.g. 1.2.")
    ] = None,
    gate_confidence: opt.GateConfidence = None,
    trials: Annotated[
        int,
        typer.Option(min=1, help="How many candidates a search tries at most; those refused by a pass do not count."),
    ] = 16,
    budget: Annotated[
        str,
        typer.Option(
            help="How long a search goes on: 90s, 10min, 1h. What is expected to end later is not begun, and what does "
            "is stopped; both are said."
        ),
    ] = "10min",
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    route: opt.Route = None,
    jobs: opt.Jobs = None,
    executor: opt.Executor = "local",
    config: Config = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
    no_color: opt.NoColor = False,
) -> int:
    """Make a model smaller or faster, and measure what that costs. Exit code 3 when nothing keeps the limits, the
    uncompressed model neither, or no recipe of those that were named; then nothing is written. Where a search finds
    none that does, or nothing gains, the model is written as it was optimised. The same command goes on after Ctrl-C:
    what was tried is not tried again.

    Without --recipe a search chooses among the recipes, those that train included where --train-data is given. What is
    written is measured on a part of --data that the search never saw.

    \b
    Examples:
      dlpipe compress model.onnx --data digits.npz -o small.onnx
      dlpipe compress model.pb --data clips/ -o small.onnx \\
          --max-accuracy-drop 0.5% --max-size 1MB --target arm64
      dlpipe compress model.onnx --data test.npz --train-data train.npz \\
          -o fast.onnx --min-speedup 1.5 --trials 40 --budget 1h
      dlpipe compress model.onnx --data digits.npz -o int8.onnx --recipe int8

    \b
    Beside FILE.onnx: FILE.contract.json, FILE.report.html, FILE.report.json.
    """
    del config  # read before the others, by its callback
    from dlpipe.cli.output import exit_code
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.by_metric import with_requirements
    from dlpipe.pipeline.compress.compress import compress as compress_request
    from dlpipe.pipeline.compress.request import CompressRequest, parse_budget, parse_goal
    from dlpipe.pipeline.limits import UserLimits
    from dlpipe.pipeline.model_file import beside
    from dlpipe.pipeline.request import find_recipes, import_options, parse_confidence
    from dlpipe.pipeline.session import Session
    from dlpipe.report.compression_text import render_compression
    from dlpipe.targets.registry import backend as find_backend
    from dlpipe.targets.registry import target as find_target

    request = CompressRequest(
        model=model,
        out=out,
        data=data,
        train_data=train_data,
        made_up=made_up_data,
        labels=labels,
        metric=with_requirements(metric, requirements),
        options=import_options(input_, output, shape, unsafe_load, factory, route, preprocess),
        recipes=find_recipes(recipe),
        target=find_target(target) if target is not None else None,
        backend=find_backend(backend) if backend is not None else None,
        limits=UserLimits.parse(
            max_accuracy_drop=max_accuracy_drop,
            max_latency=max_latency,
            max_size=max_size,
            max_memory=max_memory,
            min_speedup=min_speedup,
        ),
        minimise=parse_goal(minimise) if minimise is not None else None,
        gate_confidence=parse_confidence(gate_confidence),
        trials=trials,
        budget=parse_budget(budget),
        command=typed.command(),
    )
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, jobs=jobs, executor=executor, listeners=[progress]) as session,
    ):
        done = compress_request(session, request)
    if as_json:
        sys.stdout.write(done.report.to_json())
    else:
        render_compression(done.report, color=not no_color)
        if done.error is None:
            typer.echo(f"{out}, and beside it {beside(out, 'report.html').name}")
    return exit_code(done.error)
