"""`dlpipe run`: execute any model or artefact wherever it can run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt

_SHOWN = 20  # results: as many as a terminal holds


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    model: Annotated[str, typer.Argument(help="A model, or an artefact's folder.")],
    input_: Annotated[str, typer.Option("--input", "-i", help="Data: .npz, .npy, a .wav clip, a folder of clips.")],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where the outputs go, as .npz.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Class names, one a line, in the order of the outputs.")] = None,
    input_shape: Annotated[
        list[str] | None, typer.Option(help="name:1x3x224x224[:dtype], where the file does not tell.")
    ] = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> None:
    """Execute a model in its own framework, or an artefact natively or under emulation.

    \b
    Examples:
      dlpipe run model.pb --input clip.wav
      dlpipe run dlpipe-out/model-1a2b3c4d/selected/arm64 -i x.npz -o y.npz
    """
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.feeding import read_labels
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.run import execute
    from dlpipe.pipeline.session import Session

    options = import_options(input_shape, None, shape, unsafe_load, factory, None, preprocess)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        names = read_labels(labels) if labels else ()
        found = execute(session, model, input_, out=out, labels=names, options=options)
    if as_json:
        print_json(found)
        return
    rows = [(row["item"], row["output"], row["label"] or row["shape"]) for row in found["results"]]
    print_table(("item", "output", "result"), rows[:_SHOWN])
    if len(rows) > _SHOWN:
        typer.echo(f"... and {len(rows) - _SHOWN} more: --json prints all, --out keeps the outputs")
    typer.echo(f"ran on: {found['ran_on']}")
    if out is not None:
        typer.echo(f"outputs: {out}")
