"""The whole of `dlpipe compress`: prepare, try, choose, measure what was chosen on data that it was not chosen by."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from dlpipe import __version__
from dlpipe.errors import DlpipeError, GateFailed
from dlpipe.pipeline.compress import judge
from dlpipe.pipeline.compress.ground import FINAL, Ground, prepare
from dlpipe.pipeline.compress.notes import of_the_ground, too_few
from dlpipe.pipeline.compress.ranking import in_order
from dlpipe.pipeline.compress.request import DEFAULT_DROP, CompressRequest
from dlpipe.pipeline.compress.trial import NOTHING_TO_DO, Candidate, base_figures, finally_measured, verdict_on
from dlpipe.pipeline.compress.trying import OnTried, try_all
from dlpipe.pipeline.history import record_compression
from dlpipe.pipeline.model_file import MODEL, check_onnx_place, write_ir
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.zoo import data_of
from dlpipe.report.compression import Chosen, Compression, Tried
from dlpipe.report.compression_html import render_compression_html

_FINALISTS = 3  # the part that judges finally must not become one that is chosen by


@dataclass(frozen=True, slots=True)
class Compressed:
    """`error` is what the exit code speaks of: then nothing was written."""

    report: Compression
    error: DlpipeError | None


@dataclass(frozen=True, slots=True)
class _Choice:
    """broke: number -> the limit that the candidate kept on the part that ranks, and broke on the final one."""

    chosen: Chosen | None
    tree: str | None
    notes: tuple[str, ...]
    undone: tuple[str, ...] = ()
    broke: Mapping[int, str] = field(default_factory=dict)


def compress(session: Session, request: CompressRequest, on_tried: OnTried = lambda _: None) -> Compressed:
    """Writes the model, what belongs to it and the report beside it, unless nothing keeps the limits.

    Raises what the import raises, and GateFailed for a limit that cannot be evaluated.
    """
    started = time.monotonic()
    check_onnx_place(request.out)
    request.check()
    if request.data is None and not request.made_up:
        request = replace(request, data=data_of(request.model))
    ground = prepare(session, request)
    _can_be_told(ground)
    searched = try_all(ground, on_tried)
    found = searched.candidates
    choice = _choose(ground, found)
    report = _report(ground, found, choice, searched.ended, time.monotonic() - started)
    if choice.tree is not None:
        page = render_compression_html(report)
        texts = {"report.json": report.to_json(), "report.html": page}
        write_ir(session.store, choice.tree, request.out, texts)
        record_compression(session, report)
    (session.folder / "report.json").write_text(report.to_json(), encoding="utf-8")
    error = _error(report, choice.broke, named=bool(request.recipes)) if choice.tree is None else None
    return Compressed(report, error)


def _can_be_told(ground: Ground) -> None:
    """Before anything is tried. Raises GateFailed."""
    base = base_figures(ground)
    if ground.request.limits.max_accuracy_drop is not None and base.accuracy is None:
        raise GateFailed(
            f"--max-accuracy-drop cannot be evaluated: {base.accuracy_reason}",
            hint="give labelled data, or leave it out: then candidates are judged by their outputs",
        )


def _choose(ground: Ground, found: Iterable[Candidate]) -> _Choice:
    """The best on the part that ranks that keeps the limits on the final part too; else the model as it is."""
    request = ground.request
    by_number = {each.tried.number: each for each in found}
    order = in_order((each.tried for each in by_number.values()), request.minimised)
    notes: list[str] = []
    broke: dict[int, str] = {}
    for best in order[:_FINALISTS]:
        candidate = by_number[best.number]
        figures = finally_measured(ground, candidate)
        verdict, why = verdict_on(ground, figures)
        if verdict == "meets":
            reason = _why_this(best, order, len(by_number), request)
            chosen = Chosen(number=best.number, recipe=best.recipe, figures=figures, reason=reason)
            return _Choice(chosen, ground.tree(candidate.variant.ir), tuple(notes))
        notes.append(f"{best.recipe} ranked high, and did not hold when it was measured once more: {why}")
        if verdict == "breaks" and why is not None:
            broke[best.number] = why
    named = [each.tried for each in by_number.values()] if ground.request.recipes else []
    kept = (
        each
        for each in named
        if (each.verdict in ("meets", "no-gain") and each.number not in broke) or each.reason == NOTHING_TO_DO
    )
    base = base_figures(ground, FINAL)
    if named and not any(kept):
        return _Choice(None, None, tuple(notes), broke=broke)
    if judge.broken(base, request.limits, request.gate_confidence) is not None:
        return _Choice(None, None, tuple(notes), broke=broke)
    no_gain = [each.tried for each in by_number.values() if each.tried.verdict == "no-gain"]
    undone = tuple(f"{each.recipe}: taken back: {each.reason}" for each in no_gain)
    if request.minimised == "latency" and any(judge.size(each.figures) < judge.size(base) for each in no_gain):
        undone += ("some of these are smaller: --minimise size would keep the smallest",)
    gain = "smaller" if request.minimised == "size" else "faster"
    reason = f"nothing that was tried is {gain} and keeps the limits: the optimised model, uncompressed"
    return _Choice(
        Chosen(number=0, recipe="fp32", figures=base, reason=reason), ground.tree(ground.ir), tuple(notes), undone
    )


def _why_this(best: Tried, kept: list[Tried], tried: int, request: CompressRequest) -> str:
    if request.minimised == "size":
        return f"the smallest of {tried} tried that keeps the limits"
    if judge.cost(best.figures, "latency") == min(judge.cost(each.figures, "latency") for each in kept):
        return f"the fastest of {tried} tried that keeps the limits"
    return f"of {tried} tried, nearest to the original among the fastest that keep the limits, whose speeds are alike"


def _written(session: Session, choice: _Choice) -> Chosen | None:
    """What was chosen, with what the file is known by."""
    if choice.chosen is None or choice.tree is None:
        return choice.chosen
    file = next(each for each in session.store.tree(choice.tree).files if each.name == MODEL)
    return choice.chosen.model_copy(update={"digest": choice.tree, "model_sha256": file.sha256})


def _error(report: Compression, broke: Mapping[int, str], *, named: bool) -> GateFailed:
    best = next((each for each in report.tried if each.verdict == "breaks"), None) or next(iter(report.tried), None)
    if broke:
        best = next(each for each in report.tried if each.number in broke)
    why = f"; {best.recipe}: {broke.get(best.number) or best.reason}" if best is not None else ""
    more = "other recipes, or a search: no --recipe" if named else "more (--trials, --budget)"
    return GateFailed(
        f"none of {len(report.tried)} candidates keeps the limits{why}",
        hint=f"nothing was written; relax a limit, try {more}, or give --train-data to train on",
        tried=len(report.tried),
    )


def _report(ground: Ground, found: Iterable[Candidate], choice: _Choice, ended: str, seconds: float) -> Compression:
    request, imported, session = ground.request, ground.proven.imported, ground.session
    limits, base = request.limits.set_limits(), base_figures(ground)
    if base.accuracy is not None:
        limits["max_accuracy_drop"] = request.limits.allowed_drop(base.accuracy, DEFAULT_DROP) or 0.0
    return Compression(
        dlpipe_version=__version__,
        run=session.id,
        created=datetime.now(UTC).replace(microsecond=0),
        command=request.command,
        model=str(imported.source.path),
        sha256=imported.source.sha256,
        format=imported.sniffed.format,
        reference=(session.executor.outcomes["reference"].value or {}).get("tool"),
        target=request.target.name if request.target is not None else None,
        minimised=request.minimised,
        limits=limits,
        parts=ground.parts,
        base=base,
        tried=tuple(judge.marked((each.tried for each in found), base, request.minimised)),
        chosen=_written(session, choice),
        undone=choice.undone,
        ended=ended,
        notes=(*of_the_ground(ground), *choice.notes, *too_few(choice.chosen, limits)),
        path=str(request.out) if choice.tree is not None else None,
        seconds=round(seconds, 3),
    )
