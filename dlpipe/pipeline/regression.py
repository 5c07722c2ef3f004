"""A run held against the one that was accepted last: what ships must not be worse, beyond noise."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace

from dlpipe.contracts.measurement import Accuracy
from dlpipe.measure import regression as noise
from dlpipe.report.schema import Artifact, Gate, Report

_BOTH = "`dlpipe bench OLD NEW` times both"
_STATED = "no loss beyond noise"


@dataclass(frozen=True, slots=True)
class _Compared:
    """p: how likely it is by chance; None where nothing can be said."""

    name: str
    subject: str
    value: float | None
    unit: str
    p: float | None
    reason: str
    n: int | None = None


def regressions(accepted: Report, run: Report) -> list[Gate]:
    """Of each target's chosen artefact: still there, as accurate, as fast, no larger. `passed` is None where it cannot
    be told, with the reason."""
    gates = []
    compared: list[_Compared] = []
    for target in accepted.selected:
        pairs, missing = _pairs(accepted, run, target)
        gates += missing
        for before, now in pairs:
            gates.append(_size(before, now))
            compared += [_accuracy(accepted, run, before, now), _latency(accepted, run, before, now)]
    told = [each for each in compared if each.p is not None]
    verdicts = dict(zip(map(id, told), noise.worse([each.p for each in told if each.p is not None]), strict=True))
    for each in compared:
        passed = None if each.p is None else not verdicts[id(each)]
        chance = (
            f"; as bad by chance in {_percent(each.p)} of equal runs" if each.p is not None and each.p < 0.5 else ""
        )
        gates.append(
            Gate(
                name=each.name,
                subject=each.subject,
                limit=_STATED,
                value=each.value,
                unit=each.unit,
                passed=passed,
                reason=each.reason + chance,
                n=each.n,
            )
        )
    return gates


def _percent(p: float) -> str:
    return "under 0.01 %" if p < 1e-4 else f"{100 * p:.2g} %"


def _pairs(accepted: Report, run: Report, target: str) -> tuple[list[tuple[Artifact, Artifact]], list[Gate]]:
    """An artefact is held against its own earlier self. Which of two that are near each other is chosen may change from
    run to run, so both are looked at; one that is gone is held against what has taken its place."""
    was, its = accepted.selected[target].path, run.selected.get(target)
    if its is None:
        if all(each.target != target for each in run.artifacts):
            reason, passed = f"this run made nothing for {target}: was it asked for?", None
        else:
            reason, passed = f"nothing is left to ship for {target}; {was} was accepted", False
        return [], [Gate(name="shipped", subject=target, limit="an artefact", passed=passed, reason=reason)]
    before = {each.path: each for each in accepted.artifacts if each.verdict == "passed"}
    now = {each.path: each for each in run.artifacts if each.verdict == "passed"}
    gates = []
    if was in before and was not in now:
        lost = next((each for each in run.artifacts if each.path == was), None)
        reason = f"it passed before; now: {lost.reason or lost.verdict}" if lost else "this run did not make it"
        passed = False if lost is not None and lost.verdict == "failed" else None
        gates.append(Gate(name="verdict-regression", subject=was, limit="passed", passed=passed, reason=reason))
    same = [(before[path], now[path]) for path in dict.fromkeys((was, its.path)) if path in before and path in now]
    if not same and was in before and its.path in now:
        same = [(before[was], now[its.path])]
    return same, gates


def _size(before: Artifact, now: Artifact) -> Gate:
    """Exact: the same model and tools give the same bytes."""
    return Gate(
        name="size-regression",
        subject=now.path,
        limit=before.size_bytes or 0,
        value=now.size_bytes,
        unit="bytes",
        passed=(now.size_bytes or 0) <= (before.size_bytes or 0),
        reason=f"{(now.size_bytes or 0) - (before.size_bytes or 0):+,} bytes against {before.path}",
    )


def _accuracy(accepted: Report, run: Report, before: Artifact, now: Artifact) -> _Compared:
    blank = _Compared("accuracy-regression", now.path, None, "points", None, "")
    old, new = before.accuracy, now.accuracy
    if old is None or new is None:
        return replace(blank, reason=f"accuracy is unknown in {'this' if new is None else 'the accepted'} run")
    if old.metric != new.metric:
        return replace(blank, reason=f"{new.metric} now, {old.metric} then: they do not compare")
    scale = (100 if new.unit == "fraction" else 1) * (1 if new.better == "higher" else -1)
    lost = scale * (old.value - new.value)
    blank = replace(blank, unit="points" if new.unit in ("fraction", "points") else new.unit or "")
    same = accepted.samples and run.samples and accepted.samples.digest == run.samples.digest
    if same and old.n == new.n and old.correct and new.correct:
        wrong, right = _flips(old, new)
        reason = f"on the same {new.n:,} samples {wrong} became wrong and {right} right"
        return replace(blank, value=lost, p=noise.sign_test(wrong, right), reason=reason, n=new.n)
    why = "not sample by sample: " + ("the samples are others" if not same else "the answers to them were not kept")
    reason = f"by the intervals of both runs ({old.n:,} and {new.n:,} samples), {why}"
    before_, now_ = _upwards(old), _upwards(new)
    if before_ is None or now_ is None:
        return replace(blank, value=lost, reason=f"a run has too few samples to tell an interval, and {why}", n=new.n)
    return replace(blank, value=lost, p=noise.smaller(before_, now_), reason=reason, n=new.n)


def _upwards(found: Accuracy) -> noise.Estimate | None:
    """Its interval, more being better."""
    if found.ci95 is None:
        return None
    low, high = found.ci95
    return (found.value, low, high) if found.better == "higher" else (-found.value, -high, -low)


def _flips(old: Accuracy, new: Accuracy) -> tuple[int, int]:
    """Samples that became wrong, and right."""
    was, its = (int.from_bytes(base64.b64decode(each.correct or "")) for each in (old, new))
    return (was & ~its).bit_count(), (its & ~was).bit_count()


def _latency(accepted: Report, run: Report, before: Artifact, now: Artifact) -> _Compared:
    blank = _Compared("latency-regression", now.path, None, "x", None, "")
    other = _elsewhere(accepted, run)
    if other:
        return replace(blank, reason=f"no verdict on speed: {other}")
    old, new = (_ratio(each) for each in (before, now))
    if old is None or new is None:
        return replace(blank, reason=f"not timed on this machine in {'this' if new is None else 'the accepted'} run")
    slowdown = old[0] / new[0]
    reason = f"{slowdown:.2f} times the accepted latency, each as a ratio to ONNX Runtime's in the same run"
    if _imported(accepted)[0] != _imported(run)[0]:
        reason += ", of the same graph (its weights are others)"
    return replace(blank, value=slowdown, p=noise.slower(old, new), reason=reason)


def _elsewhere(accepted: Report, run: Report) -> str | None:
    """Why the times of two runs do not compare; None where they do."""
    if accepted.environment is None or run.environment is None:
        return "a run does not say on what machine it was timed"
    old, new = accepted.environment.machine, run.environment.machine
    differing = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    if differing:
        changes = (name if name == "flags" else f"{name} {old.get(name)} -> {new.get(name)}" for name in differing)
        shown = ", ".join(changes)
        return f"the accepted run was timed on another machine ({shown})"
    if accepted.environment.toolchains.get("core") != run.environment.toolchains.get("core"):
        return f"the ratios are to another ONNX Runtime than in the accepted run ({_BOTH})"
    (before, graph), (now, its_graph) = _imported(accepted), _imported(run)
    if before != now and (graph is None or graph != its_graph):
        return f"the ratios are to another graph than in the accepted run ({_BOTH})"
    return None


def _imported(report: Report) -> tuple[str | None, str | None]:
    """(digest, structure) of the model that the ratios are to. Trained anew it takes as long: no kernel's time depends
    on the values of weights."""
    found = [stage for stage in report.stages if stage.kind == "import" and stage.status == "ok"]
    return (found[-1].output, found[-1].structure) if found else (None, None)


def _ratio(artifact: Artifact) -> noise.Estimate | None:
    for each in artifact.speedups:
        if each.baseline == "reference-runtime" and each.value is not None and each.ci95 is not None:
            return (each.value, *each.ci95)
    return None
