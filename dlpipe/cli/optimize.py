"""`dlpipe optimize`: only the IR passes."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.wrapping import say


def register(app: typer.Typer) -> None:
    app.command("optimize")(optimize)


def optimize(
    model: opt.Model,
    out: opt.OnnxOut,
    passes: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,...],...",
            help="Passes in order, with parameters (dlpipe pass show NAME); default: the standard ones.",
        ),
    ] = None,
    data: opt.Data = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    route: opt.Route = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Optimise a model without changing what it computes. Exit code 3 when a pass asked for would.

    \b
    Examples:
      dlpipe optimize model.onnx -o small.onnx --passes fold-batchnorm,clean
      dlpipe optimize model.onnx -o fixed.onnx \\
          --passes specialise:batch=1,height=224,fold-constants,opset:version=17
      dlpipe optimize model.onnx -o part.onnx \\
          --passes extract:inputs=/conv1/out,outputs=/head/Add_output_0
    """
    from dlpipe.cli.output import agreement, print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.passes.spelling import parse_passes
    from dlpipe.pipeline.optimizing import optimize_verified
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, output, shape, unsafe_load, factory, route, preprocess)
    chosen = None if passes is None else parse_passes(passes)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = optimize_verified(session, model, out, options=options, data=data, passes=chosen)
    if as_json:
        print_json(found)
        return 0
    for each in found["passes"]:
        say(f"{each['name']}: {len(each['changes']) or 'no'} change{'' if len(each['changes']) == 1 else 's'}")
    for name, why in found["dropped"].items():
        say(f"{name}: left out: {why}")
    agrees = agreement(found["fidelity"], found["reference"])
    say(f"{out}: {found['nodes'][0]} -> {found['nodes'][1]} nodes, {agrees}")
    return 0
