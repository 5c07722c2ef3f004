"""The whole journey: import, prove, optimise, quantise, compile, execute, compare, time, select, report."""

from __future__ import annotations

import platform
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dlpipe import __version__
from dlpipe.contracts.backend import Target
from dlpipe.errors import DlpipeError, GateFailed
from dlpipe.ir.calls import describe_call, run_call, time_call
from dlpipe.measure.machine import fingerprint
from dlpipe.passes.registry import STANDARD, pass_call
from dlpipe.pipeline import gates as gating
from dlpipe.pipeline.artifacts import Built, Candidate, build, calls, candidates
from dlpipe.pipeline.assemble import OWN_REFERENCE, Assembler
from dlpipe.pipeline.imported import Imported, sniff
from dlpipe.pipeline.optimise import Optimised, optimise, pass_chain
from dlpipe.pipeline.output import check_free, export_artifacts, link_selected, output_folder, write_manifest
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import SEED, ConvertRequest
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.select import broken_paths, select
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.source import default_out
from dlpipe.pipeline.timing import ORIGINAL, RUNTIME, Timed, measure_timing
from dlpipe.pipeline.variants import make_variants
from dlpipe.report.schema import Environment, Gate, Note, Reference, Report, Selected
from dlpipe.report.schema import Samples as SamplesBlock
from dlpipe.report.schema import Source as SourceBlock
from dlpipe.report.scorecard import scorecard
from dlpipe.targets.registry import target as find_target


@dataclass(frozen=True, slots=True)
class Converted:
    """What `convert` leaves: the report, the folder it is in, the error that the exit code speaks of, and where an
    earlier result went that lay there and was another one."""

    report: Report
    out: Path
    error: DlpipeError | None
    kept: Path | None


def convert(session: Session, request: ConvertRequest) -> Converted:
    """Raises UserError, StageFailed or GateFailed when there is nothing to report on: the import itself failed."""
    started = time.monotonic()
    targets = [find_target(name) for name in request.targets]
    wanted = [each for target in targets for each in candidates(target, request)]  # bad names end here, at once
    if request.out is not None:
        check_free(request.out)
    out = request.out or default_out(sniff(session, request.model, factory=request.options.factory).source)
    check_free(out)
    session.executor.look_ahead([describe_call(), run_call(), pass_call(STANDARD[0]), *calls(wanted)])
    threading.Thread(target=_load_what_writes_reports, name="report").start()
    proven = prove_import(session, request, pass_chain("import"))
    imported, samples = proven.imported, proven.samples
    optimised = optimise(session, samples, start=imported.ir)
    tried = _build_all(session, targets, wanted, samples, optimised)
    timings = _time_all(session, imported, samples, optimised, tried)
    report = _report(session, request, proven, optimised, tried, timings, time.monotonic() - started)
    error = _verdict(request, report)
    kept = _write(session, out, report, optimised, tried)
    return Converted(report, out, error, kept)


def _load_what_writes_reports() -> None:
    """Most of a second, for the end of the run only, while this process has nothing to do but wait for workers."""
    from dlpipe.pipeline import history  # noqa: F401 - SQLAlchemy, that is
    from dlpipe.report import html

    html.load()


def _build_all(
    session: Session,
    targets: list[Target],
    wanted: list[Candidate],
    samples: Samples,
    optimised: Optimised,
) -> list[Built]:
    """In the order of `wanted`. What is compiled from fp32 does not wait for the other precisions to be made."""
    tried: dict[str, Built] = {}
    for target in targets:
        mine = [each for each in wanted if each.target == target]
        needed = {each.backend.ir_variant(each.variant) for each in mine}
        irs, making = make_variants(needed, samples, ir=optimised.ir, target=target)
        at_once = [each for each in mine if each.backend.ir_variant(each.variant) == "fp32"]
        later = [each for each in mine if each not in at_once]
        for each in (*build(session, at_once, samples, irs, making), *build(session, later, samples, irs)):
            tried[each.candidate.path] = each
    return [tried[each.path] for each in wanted]


def _time_all(
    session: Session, imported: Imported, samples: Samples, optimised: Optimised, tried: list[Built]
) -> dict[str, Any]:
    """Digest of a model's folder (and "original") -> its timing. The original, every IR and every native artefact."""
    executor = session.executor
    one = executor.outcomes[samples.timing].output
    baseline = executor.outcomes[imported.ir].output
    timed: list[Timed] = []
    original = imported.frontend.timing_call(imported.sniffed, imported.options)
    if original is not None:
        inputs = {"source": imported.source.tree, "imported": baseline, "samples": one}
        timed.append(Timed(ORIGINAL, original, inputs))
    trees: dict[str, Timed] = {baseline: Timed(RUNTIME, time_call(), {"ir": baseline, "samples": one})}
    for name in (*optimised.applied, *dict.fromkeys(each.ir for each in tried)):
        if executor.outcomes[name].status == "ok" and executor.outcomes[f"run:{name}"].status == "ok":
            tree = executor.outcomes[name].output
            trees.setdefault(tree, Timed(tree, time_call(), {"ir": tree, "samples": one}))
    for each in tried:
        call = each.candidate.backend.timing_call(each.candidate.target, each.candidate.variant)
        ran = executor.outcomes.get(f"run:{each.candidate.id}")
        if call is not None and ran is not None and ran.status == "ok":
            tree = executor.outcomes[each.candidate.shipped].output
            trees.setdefault(tree, Timed(tree, call, {"artifact": tree, "samples": one}))
    outcome = measure_timing(session, [*timed, *trees.values()])
    found = {name: {**each, "date": outcome.value["date"]} for name, each in outcome.value["timed"].items()}
    return found | {baseline: found[RUNTIME]}


def _report(
    session: Session,
    request: ConvertRequest,
    proven: Proven,
    optimised: Optimised,
    tried: list[Built],
    timings: Mapping[str, Any],
    seconds: float,
) -> Report:
    samples = proven.samples
    assembler = Assembler(session, samples, timings, optimised.dropped)
    stages = assembler.stages()
    artifacts = [assembler.artifact(each.candidate) for each in tried]
    by_id = {stage.id: stage for stage in stages}
    compiled_from = {each.candidate.path: by_id[each.ir] for each in tried if each.ir in by_id}
    gates = gating.evaluate(request.limits, artifacts, compiled_from, confidence=request.gate_confidence)
    if request.expected is not None:
        gates.append(gating.expected_top1(request.expected, by_id["reference"].accuracy))
    ruled_out = broken_paths(gates, {path: stage.id for path, stage in compiled_from.items()})
    selected = {}
    for name in request.targets:
        chosen = select([each for each in artifacts if each.target == name], ruled_out)
        if chosen is not None:
            selected[name] = chosen
    report = Report(
        dlpipe_version=__version__,
        run=session.id,
        created=datetime.now(UTC).replace(microsecond=0),
        command=request.command,
        source=_source(session, proven),
        samples=SamplesBlock(
            count=samples.count,
            source=samples.source,
            seed=SEED,
            labelled=samples.count if samples.labelled else 0,
            digest=session.executor.outcomes["samples"].output,
        ),
        stages=tuple(stages),
        artifacts=tuple(artifacts),
        gates=tuple(gates),
        selected=selected,
        notes=tuple(_notes(proven, optimised, tried)),
        environment=Environment(
            machine={**fingerprint()},
            python=platform.python_version(),
            toolchains={
                each.stage.call.toolchain: session.toolchains.digest(each.stage.call.toolchain)
                for each in session.executor.outcomes.values()
            },
        ),
        seconds=round(seconds, 3),
    )
    return report.model_copy(update={"scorecard": scorecard(report)})


def _source(session: Session, proven: Proven) -> SourceBlock:
    imported = proven.imported
    value = session.executor.outcomes["reference"].value or {}
    return SourceBlock(
        path=str(imported.source.path),
        sha256=imported.source.sha256,
        framework=imported.sniffed.framework,
        format=imported.sniffed.format,
        version=imported.sniffed.version,
        size_bytes=imported.source.size_bytes,
        inputs=imported.contract.inputs,
        outputs=imported.contract.outputs,
        reference=Reference(kind=proven.samples.kind, tool=value.get("tool")),
        preprocessing=tuple(each.summary for each in imported.contract.preprocessing),
    )


def _notes(proven: Proven, optimised: Optimised, tried: list[Built]) -> list[Note]:
    imported, samples = proven.imported, proven.samples
    notes = [Note(message=each.summary) for each in imported.contract.preprocessing]
    notes += [
        Note(level="warning", message=f"the route {route} was refused: {why}") for route, why in proven.refused.items()
    ]
    if samples.kind == "own":
        notes.append(Note(level="warning", message=OWN_REFERENCE))
    if not samples.labelled:
        notes.append(Note(level="warning", message="accuracy is unknown: no labelled data was given (--data)"))
    if samples.source == "generated" and any(each.candidate.variant == "int8" for each in tried):
        notes.append(
            Note(level="warning", message="int8 was calibrated on generated inputs: give --data for real ones")
        )
    notes += [
        Note(level="warning", message=f"pass {name} was left out: {why}") for name, why in optimised.dropped.items()
    ]
    notes += [Note(level="warning", message=risk) for risk in imported.sniffed.risks]
    return notes


def _verdict(request: ConvertRequest, report: Report) -> DlpipeError | None:
    """The error that the exit code speaks of, if any."""
    unexpected = [gate for gate in report.gates if gate.name == "expected-top-1" and not gate.passed]
    if unexpected:
        return GateFailed(f"the original gives {unexpected[0].value}; {unexpected[0].reason}", stage="reference")
    for name in request.targets:
        mine = [each for each in report.artifacts if each.target == name]
        if name in report.selected and not request.require_verified:
            continue
        if name in report.selected and all(each.verdict != "unverified" for each in mine):
            continue
        failure = _no_choice(request, report, name)
        if failure is not None:
            return failure
    return None


def _no_choice(request: ConvertRequest, report: Report, target: str) -> DlpipeError | None:
    mine = {each.path: each for each in report.artifacts if each.target == target}
    unverified = [each for each in mine.values() if each.verdict == "unverified"]
    subjects = set(mine) | {stage.id for stage in report.stages}
    limits = [gate for gate in report.gates if gate.subject in subjects and gate.name != "fidelity"]
    bad = [gate for gate in limits if gate.passed is not True]
    wrong = [gate for gate in report.gates if gate.subject in mine and gate.name == "fidelity" and gate.passed is False]
    asked = [gate for gate in wrong if mine[gate.subject].variant == request.precision]
    made = [each for each in unverified if each.digest is not None or not wrong]
    if not bad and not asked and made and not request.require_verified:
        return None
    worst: Gate | None = next(iter([*bad, *wrong]), None)
    if worst is None:
        return GateFailed(f"{target}: not verified: {unverified[0].reason}", target=target)
    figure = worst.reason or f"{worst.value:,} {worst.unit}, and the limit is {worst.limit:,}"
    return GateFailed(
        f"no artefact for {target} is left: {worst.name} of {worst.subject}: {figure}",
        hint="see the gates in report.html"
        + (f"; about {worst.samples_needed:,} samples would resolve this limit" if worst.samples_needed else ""),
        stage=worst.subject,
        limit=worst.limit,
        value=worst.value,
        samples=worst.n,
    )


def _write(session: Session, out: Path, report: Report, optimised: Optimised, tried: list[Built]) -> Path | None:
    from dlpipe.pipeline.history import record_lineage
    from dlpipe.report.html import render_html

    outcomes = session.executor.outcomes
    trees = {
        each.candidate.path: outcomes[each.candidate.shipped].output
        for each in tried
        if each.candidate.shipped in outcomes and outcomes[each.candidate.shipped].status == "ok"
    }
    chosen: Mapping[str, Selected] = report.selected
    kept: list[Path] = []
    with output_folder(out, kept.append) as folder:
        export_artifacts(session.store, folder, outcomes[optimised.ir].output, trees)
        link_selected(folder, {target: each.path for target, each in chosen.items()})
        (folder / "report.json").write_text(report.to_json(), encoding="utf-8")
        (folder / "report.html").write_text(render_html(report), encoding="utf-8")
        write_manifest(folder, {"dlpipe": __version__, "run": session.id, "source_sha256": report.source.sha256})
    (session.folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    record_lineage(session, report)
    return kept[0] if kept else None
