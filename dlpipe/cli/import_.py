"""`dlpipe import`: only the frontend, verified against the original."""

from __future__ import annotations

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("import")(import_)


def import_(
    model: opt.Model,
    out: opt.OnnxOut,
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
    """Import a model to ONNX and prove it equal to the original. Exit code 3 when it is not.

    \b
    Examples:
      dlpipe import model.pb -o model.onnx
      dlpipe import deploy.prototxt -o net.onnx      (its .caffemodel lies beside)
      dlpipe import weights.pth --factory net:build -o net.onnx
    """
    from dlpipe.cli.output import print_json, print_verified
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.importing import import_verified
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, output, shape, unsafe_load, factory, route)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = import_verified(session, model, out, options=options, data=data, reference=reference)
    if as_json:
        print_json(found)
    else:
        print_verified(out, found)
    return 0
