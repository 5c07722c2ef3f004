"""`dlpipe compile`: only the compiler."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.wrapping import say


def register(app: typer.Typer) -> None:
    app.command("compile")(compile_)


def compile_(
    model: opt.Model,
    target: Annotated[str, typer.Option("--target", "-t", help="What it shall run on: dlpipe target list.")],
    backend: Annotated[str, typer.Option("--backend", "-b", help="What compiles it: dlpipe backend list.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The artefact's folder, which is made.")],
    precision: Annotated[str, typer.Option(help="fp32, fp16, bf16, int16, int8 or int4.")] = "fp32",
    allow_fallback: opt.Fallback = None,
    data: opt.Data = None,
    metric: opt.Metric = None,
    requirements: opt.Requirements = None,
    tune: opt.Tune = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    route: opt.Route = None,
    reference: opt.Reference = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Compile a model with one backend, run the result where that can be done, and compare it.

    \b
    Examples:
      dlpipe compile model.onnx -t arm64 -b ncnn -o model-ncnn
      dlpipe compile model.onnx -t x86-64 -b openvino --precision int8 \\
          --data digits.npz -o model-int8
    """
    from dlpipe.cli.output import agreement, print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.errors import UserError
    from dlpipe.pipeline.by_metric import with_requirements
    from dlpipe.pipeline.compiling import compile_model
    from dlpipe.pipeline.limits import parse_duration
    from dlpipe.pipeline.request import ConvertRequest, import_options, parse_precision
    from dlpipe.pipeline.session import Session
    from dlpipe.report import summary
    from dlpipe.report.schema import Artifact

    if precision == "auto" or backend == "all":
        raise UserError("compile makes one artefact", hint="`dlpipe convert` tries several and chooses")
    request = ConvertRequest(
        model=model,
        targets=(target,),
        backends=(backend,),
        precision=parse_precision(precision),
        allow_fallback=allow_fallback,
        data=data,
        metric=with_requirements(metric, requirements),
        tune=parse_duration(tune, "--tune"),
        reference=reference,
        options=import_options(input_, output, shape, unsafe_load, factory, route, preprocess),
    )
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        found = compile_model(session, request, out)
    if as_json:
        print_json(found)
        return 0
    for note in found["notes"]:
        say(note)
    made = found["artifact"]
    fidelity = made["fidelity"]
    said = agreement(fidelity, "the original") if fidelity else f"not compared: {made['reason']}"
    artifact = Artifact.model_validate(made)
    say(f"{out}: {summary.name(artifact)}, {made['verdict']} on {made['ran_on']}, {said}")
    if artifact.parts:
        say(f"in parts: {summary.parts(artifact)}")
    if data is not None:
        say(_accuracy(made))
    return 0


def _accuracy(made: Mapping[str, Any]) -> str:
    """What the labelled data says of it."""
    from dlpipe.contracts.measurement import Accuracy
    from dlpipe.report import words

    if made["accuracy"] is None:
        return f"accuracy is unknown: {made['accuracy_reason']}"
    found = Accuracy.model_validate(made["accuracy"])
    loss = f"a loss of {words.drop(found)} against the original" if found.drop is not None else str(found.reason)
    emulated = "" if found.provenance == "measured" else f", {found.provenance}"
    return f"{words.plain(found.metric)} {words.score(found)} of {found.n:,} samples, {loss}{emulated}"
