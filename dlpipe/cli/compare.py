"""`dlpipe compare`: is B still the same model as A?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dlpipe.cli import options as opt


def register(app: typer.Typer) -> None:
    app.command("compare")(compare)


def compare(
    a: Annotated[str, typer.Argument(help="The reference: a model, or an artefact's folder.")],
    b: Annotated[str, typer.Argument(help="What is held against it: a model, or an artefact's folder.")],
    data: opt.Data = None,
    labels: Annotated[Path | None, typer.Option(help="Class names, one a line, in the order of the outputs.")] = None,
    metric: opt.Metric = None,
    requirements: opt.Requirements = None,
    input_: opt.Inputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    preprocess: opt.Preprocess = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Run any two models or artefacts on the same samples and compare. Exit code 3 on a mismatch.

    \b
    Example:
      dlpipe compare model.pb dlpipe-out/model-1a2b3c4d/selected/arm64
    """
    from dataclasses import asdict

    from dlpipe.cli.output import print_json, print_table
    from dlpipe.cli.progress import Progress
    from dlpipe.contracts.measurement import Accuracy
    from dlpipe.pipeline.by_metric import with_requirements
    from dlpipe.pipeline.compare import compare as compare_models
    from dlpipe.pipeline.feeding import read_labels
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session
    from dlpipe.report import words

    chosen = with_requirements(metric, requirements)
    options = import_options(input_, None, shape, unsafe_load, factory, None, preprocess)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, listeners=[progress]) as session,
    ):
        names = read_labels(labels) if labels else ()
        found = compare_models(session, a, b, data=data, labels=names, metric=chosen, options=options)
    fidelity = found.fidelity
    if as_json:
        print_json(asdict(found))
    else:
        shown = ("samples", "max_abs", "max_rel", "tolerance", "cosine", "sqnr_db", "argmax_agreement", "reason")
        rows = [(key, fidelity[key]) for key in shown if fidelity.get(key) is not None]
        if found.accuracy and found.reference_accuracy:
            first, second = map(Accuracy.model_validate, (found.reference_accuracy, found.accuracy))
            rows += [(f"{first.metric} of A", words.score(first)), (f"{second.metric} of B", words.score(second))]
            rows += [("drop", words.drop(second)), ("95 % interval of it", words.interval(second))]
            rows += [("p", second.p_value), ("on labelled samples", second.n)]
        print_table(("", ""), [(key, f"{value:.6g}" if isinstance(value, float) else value) for key, value in rows])
        typer.echo({True: "they agree", False: "they DISAGREE", None: "no verdict"}[fidelity["passed"]])
    return 3 if fidelity["passed"] is False else 0
