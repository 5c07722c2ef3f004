"""`dlpipe bench`: interleaved latency of models and artefacts."""

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
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> None:
    """Time models against each other, interleaved, one thread, on this machine.

    \b
    Example:
      dlpipe bench model.pb dlpipe-out/model-1a2b3c4d/model.onnx
    """
    from dlpipe.cli.output import print_json, print_table
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.bench import bench as bench_models
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, None, shape, unsafe_load, factory)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = bench_models(session, models, options)
        machine = session.machine
    if as_json:
        print_json({"machine": machine, **found})
        return
    rows = []
    for name, timing in found["timed"].items():
        cost = {key: figure["value"] for key, figure in timing["cost"].items()}
        ratio = next((each for each in timing["speedups"] if each["value"]), None)
        rows.append(
            (
                name,
                _ms(cost.get("latency_p50")),
                _ms(cost.get("latency_p95")),
                f"{ratio['value']:.2f}x ({ratio['ci95'][0]:.2f}-{ratio['ci95'][1]:.2f})" if ratio else "baseline",
                "; ".join(filter(None, (timing.get("in_parts"), timing.get("noise") or timing.get("error")))),
            )
        )
    print_table(("model", "p50 ms", "p95 ms", "speed-up", ""), rows)
    typer.echo(f"measured on {machine}, {found['date']}")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
