"""`dlpipe doctor preprocess`: is the model fed as it was trained?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.wrapping import say

if TYPE_CHECKING:
    from dlpipe.pipeline.doctor.preprocess import Diagnosis


def register(app: typer.Typer) -> None:
    app.command("preprocess")(preprocess)


def preprocess(
    model: opt.Model,
    data: Annotated[str, typer.Option(help="Labelled pictures: a folder per class, .npz (x, y), IDX, TFRecord ...")],
    labels: opt.Labels = None,
    metric: opt.Metric = None,
    requirements: opt.Requirements = None,
    samples: Annotated[int, typer.Option(min=10, help="On how many of them.")] = 500,
    preprocess: opt.Preprocess = None,
    input_: opt.Inputs = None,
    output: opt.Outputs = None,
    shape: opt.Shapes = None,
    unsafe_load: opt.UnsafeLoad = False,
    factory: opt.Factory = None,
    route: opt.Route = None,
    jobs: opt.Jobs = None,
    offline: opt.Offline = False,
    as_json: opt.AsJson = False,
    verbose: opt.Verbose = False,
) -> int:
    """Try the usual mistakes of feeding pictures on labelled data, with the original: colours, range of values, axes,
    filter and crop. Exit code 3 when the labels point to another way than the present one.

    \b
    Example:
      dlpipe doctor preprocess resnet.onnx --data cifar/ --labels names.txt
    """
    from dlpipe.cli.output import print_json
    from dlpipe.cli.progress import Progress
    from dlpipe.pipeline.by_metric import with_requirements
    from dlpipe.pipeline.doctor.preprocess import diagnose
    from dlpipe.pipeline.feeding import read_labels
    from dlpipe.pipeline.request import import_options
    from dlpipe.pipeline.session import Session

    options = import_options(input_, output, shape, unsafe_load, factory, route, preprocess)
    chosen = with_requirements(metric, requirements)
    with (
        Progress(quiet=as_json, verbose=verbose) as progress,
        Session(offline=offline, jobs=jobs, listeners=[progress]) as session,
    ):
        names = read_labels(labels) if labels else ()
        found = diagnose(session, model, data, labels=names, metric=chosen, samples=samples, options=options)
    if as_json:
        print_json(_data(found))
    else:
        _show(found)
    return 3 if found.points_elsewhere else 0


def _data(found: Diagnosis) -> dict[str, Any]:
    rows = [
        {
            "name": each.name,
            "option": each.option,
            "accuracy": each.accuracy.model_dump(mode="json") if each.accuracy is not None else None,
            "reason": each.reason,
        }
        for each in found.tried
    ]
    return {
        "metric": found.metric,
        "samples": found.samples,
        "original": found.tool,
        "points_elsewhere": found.points_elsewhere,
        "p_value": found.p_value,
        "best": rows[0],
        "current": rows[found.tried.index(found.current)],
        "tried": rows,
    }


def _show(found: Diagnosis) -> None:
    from dlpipe.cli.output import print_table
    from dlpipe.report import words

    rows = []
    for each in found.tried:
        mark = "* " if each is found.current else "  "
        if each.accuracy is None:
            rows.append((mark + each.name, words.NOTHING, words.plain(each.reason or "")))
        else:
            rows.append((mark + each.name, words.score(each.accuracy), words.score_interval(each.accuracy)))
    print_table(("  way of feeding", found.metric, "95 % interval"), rows)
    best, now = found.best, found.current
    say(f"\n{found.metric} of the original ({found.tool}) on {found.samples:,} labelled samples; * is the present way")
    if not found.points_elsewhere:
        say("No other way is shown to be better than the present one.")
        if best is not now and found.p_value is not None:
            say(f"The best one that was tried, {best.name}, may be so by chance (p = {found.p_value:.2g}).")
        return
    good, bad = (
        f"{words.score(each)} ({words.score_interval(each)})" for each in (best.accuracy, now.accuracy) if each
    )
    say(
        f"The labels point to {best.name}: {good}, and {bad} as it is fed now; p = {found.p_value:.2g}, corrected for "
        f"{len(found.tried) - 1} ways tried."
    )
    others = ", ".join(each.name for each in found.as_good())
    if others:
        say(f"Just as good on these samples: {others}.")
    say(f"Set it with:  --preprocess {best.option}")
