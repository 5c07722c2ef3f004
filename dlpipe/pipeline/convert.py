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
from dlpipe.contracts.call import Call
from dlpipe.errors import DlpipeError, GateFailed, StageFailed
from dlpipe.ir.calls import describe_call, run_call, time_call
from dlpipe.measure.machine import fingerprint
from dlpipe.passes.registry import STANDARD, pass_call
from dlpipe.pipeline import boards, chained, crowd
from dlpipe.pipeline import gates as gating
from dlpipe.pipeline.artifacts import Built, Candidate, build, calls, candidates, failure, refuse_unaccepted
from dlpipe.pipeline.assemble import OWN_REFERENCE, Assembler
from dlpipe.pipeline.bisect.in_artifacts import of_artifacts
from dlpipe.pipeline.bisect.in_stages import of_stages
from dlpipe.pipeline.encryptable import why_not_encrypted
from dlpipe.pipeline.events import StageNote
from dlpipe.pipeline.imported import Imported, sniff
from dlpipe.pipeline.optimise import Optimised, optimise, pass_chain
from dlpipe.pipeline.output import check_free, export_artifacts, link_selected, output_folder, write_manifest
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import SEED, ConvertRequest
from dlpipe.pipeline.roofline import artifact_against, machine_limits, stage_against
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.select import broken_paths, select
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.source import default_out
from dlpipe.pipeline.starting import in_parts, measure_starts
from dlpipe.pipeline.timing import ORIGINAL, RUNTIME, Timed, TimedInParts, measure_timing
from dlpipe.pipeline.timing import STAGE as TIMING
from dlpipe.pipeline.tuning.plan import shares, tuning_notes
from dlpipe.pipeline.unsteady import told
from dlpipe.pipeline.variants import make_variant, settle
from dlpipe.pipeline.verdict import judge_run
from dlpipe.pipeline.views import look
from dlpipe.report.frameworks import framework
from dlpipe.report.schema import Environment, ModelView, Note, Reference, Report, Selected
from dlpipe.report.schema import Samples as SamplesBlock
from dlpipe.report.schema import Source as SourceBlock
from dlpipe.report.scorecard import scorecard


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
    targets = boards.targets(request.targets, request.board)
    wanted = [each for target in targets for each in candidates(target, request)]  # bad names end here, at once
    refuse_unaccepted(session, wanted)
    if request.out is not None:
        check_free(request.out)
    out = request.out or default_out(sniff(session, request.model, factory=request.options.factory).source)
    check_free(out)
    session.executor.look_ahead([describe_call(), run_call(), pass_call(STANDARD[0]), *calls(wanted)])
    threading.Thread(target=_load_what_writes_reports, name="report").start()
    proven = prove_import(session, request, pass_chain("import"))
    imported, samples = proven.imported, proven.samples
    if request.limits.max_accuracy_drop is not None and not samples.labelled:  # not after an hour of compiling
        hint = "give labelled data with --data, or leave the limit out: outputs are compared all the same"
        raise GateFailed(f"--max-accuracy-drop cannot be evaluated: {samples.unknown}", hint=hint)
    optimised = optimise(session, samples, start=imported.ir)
    tried = _build_all(session, targets, wanted, samples, optimised, shares(wanted, request.tune))
    departs_at = of_stages(session)
    departs_at |= of_artifacts(session, samples, tried, departs_at)
    timings, untimed = _time_all(session, imported, samples, optimised, tried)
    shown = [each.ir for each in tried if session.executor.outcomes[each.ir].status == "ok"]
    views = look(session, imported.ir, shown or [optimised.ir], samples.timing)
    assembler = Assembler(session, samples, timings, optimised.dropped, departs_at, untimed)
    report = _report(session, request, proven, optimised, tried, assembler, views, time.monotonic() - started)
    errors = {each.candidate.path: failure(session, each) for each in tried}
    error = judge_run(request, report, {path: each for path, each in errors.items() if each is not None})
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
    tuning: Mapping[str, float],
) -> list[Built]:
    """In the order of `wanted`. What is compiled from fp32 does not wait for the other variants to be made."""
    tried: dict[str, Built] = {}
    for target in targets:
        mine = [each for each in wanted if each.target == target]
        forms = {each.ir_name: each for each in mine}
        making = {
            name: make_variant(each.recipe, samples, ir=optimised.ir, target=each.quantised_for)
            for name, each in forms.items()
        }
        irs = {name: variant.ir for name, variant in making.items()}
        at_once = [each for each in mine if not each.recipe.steps]
        meanwhile = [stage for variant in making.values() for stage in variant.stages]
        for each in build(session, at_once, samples, irs, meanwhile, tuning):
            tried[each.candidate.path] = each
        for name, variant in making.items():
            wanted_by = forms[name].quantised_for
            irs[name] = settle(session, variant, samples, ir=optimised.ir, target=wanted_by).ir
        for each in build(session, [each for each in mine if each.recipe.steps], samples, irs, (), tuning):
            tried[each.candidate.path] = each
    return [tried[each.path] for each in wanted]


def _time_all(
    session: Session, imported: Imported, samples: Samples, optimised: Optimised, tried: list[Built]
) -> tuple[dict[str, Any], dict[str, str]]:
    """Digest of a model's folder (and "original") -> its timing, for the original, every IR and every native artefact;
    and digest -> why an artefact has none, for those of boards that could not time."""
    executor = session.executor
    one = executor.outcomes[samples.timing].output
    baseline = executor.outcomes[imported.ir].output
    timed: list[Timed] = []
    started: dict[str, Call] = {}
    elsewhere: dict[str, dict[str, Timed | TimedInParts]] = {}
    original = imported.frontend.timing_call(imported.sniffed, imported.options)
    if original is not None:
        inputs = {"source": imported.source.tree, "imported": baseline, "samples": one}
        timed.append(Timed(ORIGINAL, original, inputs))
    trees: dict[str, Timed | TimedInParts] = {baseline: Timed(RUNTIME, time_call(), {"ir": baseline, "samples": one})}
    for name in (*optimised.applied, *dict.fromkeys(each.ir for each in tried)):
        if executor.outcomes[name].status == "ok" and executor.outcomes[f"run:{name}"].status == "ok":
            tree = executor.outcomes[name].output
            trees.setdefault(tree, Timed(tree, time_call(), {"ir": tree, "samples": one}))
    for each in tried:
        ran = executor.outcomes.get(f"run:{each.candidate.id}")
        one_more = _timed(session, each, one) if ran is not None and ran.status == "ok" else None
        if one_more is None:
            continue
        if (board := one_more.board) is not None:
            elsewhere.setdefault(board, {})[one_more.name] = one_more
            continue
        trees.setdefault(one_more.name, one_more)
        if isinstance(one_more, Timed):
            started.setdefault(one_more.name, one_more.call)
    outcome = measure_timing(session, [*timed, *trees.values()])
    found = {name: {**each, "date": outcome.value["date"]} for name, each in outcome.value["timed"].items()}
    chains = {name: in_parts() for name, each in trees.items() if isinstance(each, TimedInParts)}
    for tree, figures in {**chains, **measure_starts(session, started, one)}.items():
        found[tree] = {**found[tree], "cost": {**found[tree]["cost"], **figures}}
    untimed: dict[str, str] = {}
    for board, there in elsewhere.items():  # among themselves: nothing is said of how they compare with this machine
        name = f"timing:{board}"
        try:
            outcome = measure_timing(session, list(there.values()), name)
        except StageFailed as error:  # the board has gone: what it computed is known, and all other artefacts are whole
            message = f"nothing was timed there: {error.message}"
            session.bus.emit(StageNote(stage=name, level="warning", message=message, where=error.where))
            untimed |= dict.fromkeys(there, message)
            continue
        said = {key: outcome.value.get(key) for key in ("date", "board")}
        found |= {name: {**each, **said} for name, each in outcome.value["timed"].items()}
    return found | {baseline: found[RUNTIME]}, untimed


def _timed(session: Session, built: Built, samples: str) -> Timed | TimedInParts | None:
    """An artefact that ran, under its digest; None where it has no speed here."""
    candidate, outcomes = built.candidate, session.executor.outcomes
    tree = outcomes[candidate.shipped].output
    if candidate.parts:
        chain = chained.links(candidate.id, candidate.target, candidate.parts)
        return chained.timed(candidate.id, tree, chain, outcomes)
    call = boards.timing_call(candidate.backend, candidate.target, candidate.variant)
    return None if call is None else Timed(tree, call, {"artifact": tree, "samples": samples})


def _report(
    session: Session,
    request: ConvertRequest,
    proven: Proven,
    optimised: Optimised,
    tried: list[Built],
    assembler: Assembler,
    views: tuple[ModelView, ...],
    seconds: float,
) -> Report:
    samples = proven.samples
    limits = machine_limits(session)
    stages = [stage_against(session, each, proven.imported.ir, limits) for each in assembler.stages()]
    artifacts = [artifact_against(session, assembler.artifact(each.candidate), each, limits) for each in tried]
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
        views=views,
        notes=(
            *_notes(proven, optimised, tried),
            *tuning_notes(tried, request.tune),
            *(
                Note(level="warning", message=fault)
                for each in session.executor.outcomes.values()
                for fault in each.faults
            ),
        ),
        environment=Environment(
            machine={**fingerprint()},
            python=platform.python_version(),
            toolchains={
                each.stage.call.toolchain: session.toolchains.digest(each.stage.call.toolchain)
                for each in session.executor.outcomes.values()
            },
            limits={} if isinstance(limits, str) else limits.figures(),
            taken_by_others=crowd.figure(session.executor.outcomes[TIMING].value.get("others")),
        ),
        seconds=round(seconds, 3),
    )
    environment = report.environment
    assert environment is not None
    packages = {
        digest: len(session.toolchains.locked_versions(name)) for name, digest in environment.toolchains.items()
    }
    unencrypted = {each.path: why_not_encrypted(each) for each in report.artifacts if each.digest}
    rows = scorecard(report, unencrypted)
    return report.model_copy(update={"scorecard": rows, "framework": framework(report, packages)})


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
        notes.append(Note(level="warning", message=samples.unknown))
    if samples.assumed:
        sizes = " ".join(f"--shape {dim}={size}" for dim, size in samples.assumed.items())
        notes.append(Note(level="warning", message=f"free dims were measured at assumed sizes, as with {sizes}"))
    notes += [Note(level="warning", message=line) for line in told(samples.unsteady)]
    calibrated = any("samples" in each.candidate.recipe.needs() or each.candidate.calibrates for each in tried)
    if samples.source == "generated" and calibrated:
        notes.append(Note(level="warning", message="it was calibrated on generated inputs: give --data for real ones"))
    elif samples.train is not None or calibrated:
        notes.append(Note(message=samples.told_apart))
    notes += [
        Note(level="warning", message=f"pass {name} was left out: {why}") for name, why in optimised.dropped.items()
    ]
    notes += [Note(level="warning", message=risk) for risk in imported.sniffed.risks]
    return notes


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
