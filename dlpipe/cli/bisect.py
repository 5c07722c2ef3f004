"""`dlpipe bisect`: the first node at which two models part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.wrapping import say

_SIDE = "a model, RUN:STAGE (a stage of a run), or an artefact's folder."


def register(app: typer.Typer) -> None:
    app.command("bisect")(bisect)


def bisect(
    a: Annotated[str, typer.Argument(help=f"The reference: {_SIDE}")],
    b: Annotated[str, typer.Argument(help=f"What departs from it: {_SIDE}")],
    data: opt.Data = None,
    samples: Annotated[
        Path | None, typer.Option(help="Exactly what A is fed with: an .npz with one array [N, *shape] for each input.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Write a reproduction bundle of the smallest part that departs.")
    ] = None,
    strip_weights: Annotated[
        bool, typer.Option("--strip-weights", help="In the bundle, noise of the same shape and spread in their place.")
    ] = False,
    precision: Annotated[
        str | None, typer.Option(help="Judge B as this precision; default: as what it computes in.")
    ] = None,
    input_: opt.Inputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Find the first node at which two forms of a model part. Exit code 3 where they do.

    \b
    Examples:
      dlpipe bisect model.onnx broken.onnx
      dlpipe bisect model.pb dlpipe-out/model-1a2b3c4d/artifacts/arm64/tvm-fp32
      dlpipe bisect dlpipe-out/model-1a2b3c4d:import dlpipe-out/model-1a2b3c4d:fp16 -o bundle
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.bisect.bisect import bisect as bisect_models
    from dlpipe.pipeline.bisect.words import lines
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, None, shape, unsafe_load, factory)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = bisect_models(
            session,
            a,
            b,
            data=data,
            samples=samples,
            out=out,
            strip_weights=strip_weights,
            options=options,
            precision=precision,
        )
    if as_json:
        print_json(asdict(found))
    else:
        for line in lines(found):
            say(line)
    return 3 if found.agree is False else 0
