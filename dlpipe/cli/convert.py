"""`dlpipe convert`: the whole journey."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("convert")(convert)


def convert(
    model: Annotated[list[str], typer.Argument(help="Files or folders, zoo:NAME, or framework:PATH.")],
    target: opt.Targets,
    data: opt.Data = None,
    labels: Annotated[Path | None, typer.Option(help="Class names, one a line, in the order of the outputs.")] = None,
    backend: opt.Backends = None,
    precision: opt.Precision = "auto",
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    route: opt.Route = None,
    reference: opt.Reference = None,
    max_accuracy_drop: Annotated[str | None, typer.Option(help="In absolute points, e.g. 0.5%.")] = None,
    max_latency: Annotated[str | None, typer.Option(help="Median on the target, e.g. 10ms.")] = None,
    max_size: Annotated[str | None, typer.Option(help="Of the artefact, e.g. 2MB.")] = None,
    max_memory: Annotated[str | None, typer.Option(help="Peak while running, e.g. 64MB.")] = None,
    min_speedup: Annotated[str | None, typer.Option(help="Against the original, e.g. 1.2.")] = None,
    gate_confidence: Annotated[
        str | None, typer.Option(help="95%: the interval's bad end decides, not the point estimate.")
    ] = None,
    require_verified: Annotated[bool, typer.Option(help="Exit 3 when a result could not be verified.")] = False,
    out: opt.Out = None,
    jobs: opt.Jobs = None,
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
    from dlpipe.cli.journey import Journey
    from dlpipe.errors import UserError
    from dlpipe.pipeline.limits import UserLimits
    from dlpipe.pipeline.request import ConvertRequest, import_options, parse_precision

    if gate_confidence not in (None, "95%"):
        raise UserError(f"--gate-confidence {gate_confidence!r}: only 95% is computed")
    if out is not None and len(model) > 1:
        raise UserError("--out names one folder, and there is more than one model")
    requests = [
        ConvertRequest(
            model=each,
            targets=tuple(dict.fromkeys(target)),
            backends=tuple(dict.fromkeys(backend or ())),
            precision=parse_precision(precision),
            data=data,
            labels=labels,
            reference=reference,
            options=import_options(input_, output, shape, unsafe_load, factory, route),
            limits=UserLimits.parse(
                max_accuracy_drop=max_accuracy_drop,
                max_latency=max_latency,
                max_size=max_size,
                max_memory=max_memory,
                min_speedup=min_speedup,
            ),
            gate_confidence=0.95 if gate_confidence else None,
            require_verified=require_verified,
            out=out,
            command=" ".join(["dlpipe", *sys.argv[1:]]),
        )
        for each in model
    ]
    journey = Journey(offline=offline, jobs=jobs, as_json=as_json, verbose=verbose, color=not no_color)
    codes = [journey.plan(each) if dry_run else journey.convert(each, ask=not yes) for each in requests]
    return max(codes)
