"""`dlpipe submit`: the journey of `convert`, on a service."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.config import Config
from dlpipe.cli.service import DEFAULT_SERVER, Server


def register(app: typer.Typer) -> None:
    app.command("submit")(submit)


def submit(
    model: opt.Model,
    target: opt.Targets,
    server: Server = DEFAULT_SERVER,
    data: opt.Data = None,
    train_data: opt.TrainData = None,
    labels: opt.Labels = None,
    metric: Annotated[str | None, typer.Option(help="By name; one of your own is not run on a service.")] = None,
    backend: opt.Backends = None,
    allow_fallback: opt.Fallback = None,
    precision: opt.Precision = "auto",
    recipe: Annotated[list[str] | None, typer.Option(help="A name of `dlpipe recipe list`.")] = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    preprocess: opt.Preprocess = None,
    route: opt.Route = None,
    reference: opt.Reference = None,
    max_accuracy_drop: opt.MaxAccuracyDrop = None,
    max_latency: opt.MaxLatency = None,
    max_size: opt.MaxSize = None,
    max_memory: opt.MaxMemory = None,
    min_speedup: opt.MinSpeedup = None,
    gate_confidence: opt.GateConfidence = None,
    require_verified: opt.RequireVerified = False,
    tune: opt.Tune = None,
    board: Annotated[
        str | None, typer.Option(help="Execute and time on a board of the service's farm: its name, or any.")
    ] = None,
    board_wait: Annotated[str, typer.Option(help="How long boards may let the job wait each time.")] = "10min",
    label: Annotated[str | None, typer.Option(help="A note of yours, which a search finds.")] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Among your team's jobs; higher is sooner.")] = 0,
    time_limit: Annotated[str, typer.Option(help="After which it is ended: 90s, 10min, 2h.")] = "1h",
    memory_limit: Annotated[
        str | None, typer.Option(help="Of all its processes together, after which it is ended: 8GB.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it has ended; exit as `convert` would.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="With --wait: fetch the result into it.")] = None,
    key: Annotated[
        str | None, typer.Option("--idempotency-key", help="Submitted again with the same key, it is the same job.")
    ] = None,
    config: Config = None,
    as_json: opt.AsJson = False,
    no_color: opt.NoColor = False,
) -> int:
    """Have a model converted by a service; what is said and asked is as of `dlpipe convert`,
    whose table of a dlpipe.toml is read too, but for what a service does not take.

    \b
    Examples:
      dlpipe submit model.pb -t arm64
      dlpipe submit model.pb -t arm64 --data clips/ --wait \\
          --max-accuracy-drop 0.5% --out out
      dlpipe submit --config dlpipe.toml --wait
    """
    del config  # read before the others, by its callback
    from dlpipe.cli.output import print_json
    from dlpipe.cli.service import client, ended, parse_size, plain
    from dlpipe.errors import Interrupted, UserError
    from dlpipe.pipeline.limits import parse_duration

    if out is not None and not wait:
        raise UserError("--out goes with --wait", hint="or fetch it later: dlpipe fetch JOB --out DIR")
    service = client(server)
    job = service.submit(
        model,
        target=list(dict.fromkeys(target)),
        data=data,
        train_data=train_data,
        labels=labels,
        reference=reference,
        idempotency_key=key,
        metric=metric,
        backends=backend,
        allow_fallback=allow_fallback,
        precision=precision,
        recipes=recipe,
        inputs=input_,
        outputs=output,
        shapes=shape,
        preprocess=preprocess,
        route=route,
        max_accuracy_drop=max_accuracy_drop,
        max_latency=max_latency,
        max_size=max_size,
        max_memory=max_memory,
        min_speedup=min_speedup,
        gate_confidence=gate_confidence,
        require_verified=require_verified,
        tune=tune,
        board=board,
        board_wait=parse_duration(board_wait, "--board-wait") if board is not None else None,
        label=label,
        priority=priority,
        time_limit=parse_duration(time_limit, "--time-limit"),
        memory_limit=parse_size(memory_limit, "--memory-limit") if memory_limit is not None else None,
    )
    if not wait:
        if as_json:
            print_json(job)
        else:
            typer.echo(f"{job['id']}: {job['state']}")
            sys.stderr.write(f"  dlpipe status {job['id']}\n  dlpipe logs -f {job['id']}\n")
        return 0
    sys.stderr.write(f"{job['id']}: waiting; Ctrl-C leaves it running\n")
    said = _Log()
    try:
        job = service.wait(job["id"], on_log=lambda text: said.write(plain(text)))
    except KeyboardInterrupt:
        raise Interrupted(f"{job['id']} goes on", hint=f"dlpipe logs -f {job['id']}, or dlpipe cancel") from None
    if job["has_result"]:
        if out is not None:
            service.fetch(job["id"], out)
        if not as_json:
            _show(service.report(job["id"]), color=not no_color)
    if as_json:
        print_json(service.report(job["id"]) if job["has_result"] else job)
    elif out is not None and job["has_result"]:
        typer.echo(f"report: {out / 'report.html'}")
    return ended(job, said.end)


class _Log:
    """Shows a job's log. `end`: its last lines, which tell what was wrong with the job where its process could."""

    _KEPT = 1 << 16

    def __init__(self) -> None:
        self.end = ""

    def write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()
        self.end = (self.end + text)[-self._KEPT :]


def _show(report: dict[str, object], *, color: bool) -> None:
    from dlpipe.report.schema import Report
    from dlpipe.report.terminal import render_terminal

    render_terminal(Report.model_validate(report), color=color)
