"""`dlpipe import`: only the frontend, verified against the original."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    model: opt.Model,
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file to write; its contract goes beside it.")],
    data: opt.Data = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Import a model to ONNX and prove it equal to the original. Exit code 3 when it is not.

    \b
    Example:
      dlpipe import model.pb -o model.onnx
    """
    from dlpipe.cli.output import print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.importing import import_verified
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, output, shape, unsafe_load, factory)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = import_verified(session, model, out, options=options, data=data)
    if as_json:
        print_json(found)
    else:
        for line in found["preprocessing"]:
            typer.echo(line)
        fidelity = found["fidelity"]
        typer.echo(
            f"{out}: equal to {found['reference']} within {fidelity['max_rel']:.2g} of the output's range "
            f"(limit {fidelity['tolerance']:g}, {fidelity['samples']} samples)"
        )
    return 0
