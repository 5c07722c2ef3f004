"""`dlpipe bench`: latency, start, memory, size and throughput of models and artefacts."""

from __future__ import annotations

from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)


def bench(
    models: Annotated[list[str], typer.Argument(help="Models or artefacts; the first is the baseline.")],
    input_: opt.Inputs = None,
    shape: opt.Shapes = None,
    throughput: Annotated[
        bool, typer.Option("--throughput", help="Also samples/s: one and as many at once as cores, batches of 1 and 8.")
    ] = False,
    concurrency: Annotated[str | None, typer.Option(help="How many ask at once, e.g. 1,2,4.", metavar="COUNTS")] = None,
    batch: Annotated[str | None, typer.Option(help="Samples in a request, e.g. 1,8.", metavar="COUNTS")] = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> None:
    """Time models against each other, interleaved, one thread, on this machine.

    \b
    Examples:
      dlpipe bench model.pb dlpipe-out/model-1a2b3c4d/model.onnx
      dlpipe bench OUT/artifacts/x86-64/openvino-int8 --concurrency 1,2,4 --batch 1,8
    """
    from dlpipe.cli.output import print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.bench import bench as bench_models
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session
    from dlpipe.pipeline.throughput import cores
    from dlpipe.report.bench import render_bench

    options = import_options(input_, None, shape, unsafe_load, factory)
    wanted = throughput or concurrency is not None or batch is not None
    clients = _counts(concurrency, "--concurrency") or sorted({1, len(cores())})
    batches = _counts(batch, "--batch") or ([1, 8] if throughput else [1])
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = bench_models(session, models, options, clients=clients if wanted else (), batches=batches)
        machine = session.machine
    if as_json:
        print_json({"machine": machine, **found})
    else:
        render_bench(found, machine)


def _counts(text: str | None, option: str) -> list[int]:
    """Of "1,2,4"; nothing for None. Raises UserError."""
    from dlpipe.errors import UserError

    try:
        return [int(part) for part in text.split(",")] if text is not None else []
    except ValueError:
        raise UserError(f"{option} takes numbers, such as 1,2,4, and not {text!r}") from None
