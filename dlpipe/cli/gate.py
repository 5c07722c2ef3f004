"""`dlpipe gate`: may this run ship?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlpipe.cli import options as opt
from dlpipe.cli.config import Config
from dlpipe.cli.wrapping import say

if TYPE_CHECKING:
    from dlpipe.pipeline.judging import Judged
    from dlpipe.report.schema import Report


def register(app: typer.Typer) -> None:
    app.command("gate")(gate)


def gate(
    run: Annotated[str, typer.Argument(help="A run id, an output folder, or a report.json.")],
    baseline: Annotated[
        str | None, typer.Option(help="The accepted run: an id, folder or report.json. Default: the last accepted one.")
    ] = None,
    accept: Annotated[
        bool, typer.Option("--accept", help="From now on this run is the baseline, or is written to --baseline FILE.")
    ] = False,
    max_accuracy_drop: opt.MaxAccuracyDrop = None,
    max_latency: opt.MaxLatency = None,
    max_size: opt.MaxSize = None,
    max_memory: opt.MaxMemory = None,
    min_speedup: opt.MinSpeedup = None,
    gate_confidence: opt.GateConfidence = None,
    require_verified: opt.RequireVerified = False,
    junit: Annotated[Path | None, typer.Option(help="Write the gates to this file, as JUnit XML.")] = None,
    config: Config = None,
    as_json: opt.AsJson = False,
) -> int:
    """Hold a run's chosen artefacts against limits and against the last accepted run. Exit code 3 when one is broken.

    Accuracy counts as worse when a paired test on the same samples says so (else the intervals), speed when the ratio
    to the reference runtime fell on the same machine beyond noise, size when it grew. GitHub's step summary and
    annotations are written where GitHub runs it. --accept takes a worse run too, but none that breaks a limit.

    \b
    Examples:
      dlpipe gate dlpipe-out/model-1a2b3c4d --max-accuracy-drop 1%
      dlpipe gate dlpipe-out/model-1a2b3c4d --accept
      dlpipe gate dlpipe-out/model-1a2b3c4d --baseline accepted.json --junit gates.xml
    """
    del config  # read before the others, by its callback
    from dlpipe.cli.output import exit_code, print_json
    from dlpipe.pipeline.accepted import accept as accept_run
    from dlpipe.pipeline.accepted import find_accepted
    from dlpipe.pipeline.judging import judge
    from dlpipe.pipeline.limits import UserLimits
    from dlpipe.pipeline.request import parse_confidence
    from dlpipe.pipeline.runs import find_report
    from dlpipe.pipeline.store.disk import writing
    from dlpipe.report.junit import render_gates

    limits = UserLimits.parse(
        max_accuracy_drop=max_accuracy_drop,
        max_latency=max_latency,
        max_size=max_size,
        max_memory=max_memory,
        min_speedup=min_speedup,
    )
    report = find_report(run)
    accepted = find_accepted(report, baseline, needed=not accept)
    judged = judge(
        report,
        accepted,
        limits,
        confidence=parse_confidence(gate_confidence),
        require_verified=require_verified,
        accepting=accept,
    )
    if not accept:
        notes = [_compared_with(accepted)]
    elif judged.broken:
        notes = [_compared_with(accepted), "not accepted"]
    else:
        place = accept_run(report, baseline)
        first = "this run is now the baseline, the first of this model"
        notes = [first] if accepted is None else [_compared_with(accepted), "this run is now the baseline"]
        notes.append(f"accepted as {place}")
    if junit is not None:
        with writing(junit, "the JUnit file"):
            junit.parent.mkdir(parents=True, exist_ok=True)
            junit.write_text(render_gates(judged.gates, judged.broken), encoding="utf-8")
    if as_json:
        gates = [{**each.model_dump(mode="json"), "broken": each in judged.broken} for each in judged.gates]
        print_json({"run": report.run, "baseline": accepted.run if accepted else None, "gates": gates, "notes": notes})
    else:
        _show(judged, notes)
        _tell_github(report, judged, notes)
    return exit_code(judged.error)


def _compared_with(accepted: Report | None) -> str:
    if accepted is None:
        return "no run of this model was accepted yet (--accept does it): whether it got worse cannot be told"
    return f"held against run {accepted.run} of {accepted.created:%d %B %Y}"


def _show(judged: Judged, notes: list[str]) -> None:
    from itertools import groupby

    from dlpipe.report import summary, words

    states = {True: "ok", False: "worse", None: "-"}
    for subject, gates in groupby(judged.gates, lambda each: each.subject):
        say(words.plain(subject))
        for each in gates:
            state = "BROKEN" if each in judged.broken else states[each.passed]
            say(f"  {state:7} {each.name}: {summary.gate(each)}")
    for note in notes:
        say(note)


def _tell_github(report: Report, judged: Judged, notes: list[str]) -> None:
    """The two things that GitHub reads: a file that it names, and lines of the output."""
    from dlpipe.report import ci, summary

    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a", encoding="utf-8") as file:
            file.write(ci.summary(f"dlpipe: {summary.model(report)}", judged.gates, judged.broken, notes))
    if os.environ.get("GITHUB_ACTIONS") == "true":
        for line in ci.error_lines(judged.broken):
            typer.echo(line)
