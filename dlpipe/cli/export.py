"""`dlpipe export`: the IR in another open format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("export")(export)


def export(
    model: opt.Model,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", help="model.nnef (a folder), model.nnef.tgz (an archive of it) or model.onnx."),
    ],
    data: opt.Data = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    route: opt.Route = None,
    reference: opt.Reference = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Write a model of any framework as NNEF or ONNX. It is read back and compared with the original first: where it
    departs, nothing is written and the exit code is 3. What cannot be told equal is written, and said to be NOT
    verified.

    \b
    Examples:
      dlpipe export model.onnx -o model.nnef
      dlpipe export model.pb -o model.nnef.tgz --shape N=1
    """
    from dlpipe.cli.output import print_json, print_verified
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.exporting import export_verified
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, output, shape, unsafe_load, factory, route)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = export_verified(session, model, out, options=options, data=data, reference=reference)
    if as_json:
        print_json(found)
    else:
        print_verified(out, found)
    return 0
