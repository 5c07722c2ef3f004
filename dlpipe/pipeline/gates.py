"""The user's limits, applied to what was measured. A limit filters the candidates; it breaks the run only where
nothing remains, or where the user asked for that very candidate."""

from __future__ import annotations

import math
from collections.abc import Iterable

from dlpipe.contracts.measurement import Accuracy
from dlpipe.measure.statistics import samples_to_resolve
from dlpipe.pipeline.limits import UserLimits, bad_end, keeps, unit_of
from dlpipe.pipeline.zoo import Expected
from dlpipe.report import words
from dlpipe.report.schema import Artifact, Gate, Stage

_COST_OF = {"max_latency": "latency_p50", "max_memory": "peak_memory"}


def evaluate(
    limits: UserLimits, artifacts: Iterable[Artifact], stages: dict[str, Stage], *, confidence: float | None
) -> list[Gate]:
    """One gate per limit and artefact. `stages` maps an artefact's path to the IR stage it was compiled from: the
    accuracy limit holds for that one too, since an emulated artefact was run on fewer samples."""
    gates = []
    for artifact in artifacts:
        gates.append(_fidelity(artifact))
        for name, limit in limits.set_limits().items():
            if name == "max_accuracy_drop":
                subjects = {artifact.path: artifact.accuracy}
                if artifact.path in stages:
                    subjects = {stages[artifact.path].id: stages[artifact.path].accuracy} | subjects
                gates += [_accuracy(limits, subject, found, confidence) for subject, found in subjects.items()]
            else:
                gates.append(_cost(name, limit, artifact, confidence))
    seen: dict[tuple[str, str], Gate] = {(gate.name, gate.subject): gate for gate in gates}
    return list(seen.values())


def expected_top1(expected: Expected, original: Accuracy | None) -> Gate:
    """Does the original of a zoo model reach the figure that its entry states?"""
    value = original.value if original else None
    return Gate(
        name="expected-top-1",
        subject="reference",
        limit=expected.top1,
        value=value,
        passed=None if value is None else abs(value - expected.top1) <= expected.tolerance,
        reason=f"the zoo entry states {expected.top1:.3f} within {expected.tolerance:g}",
        n=original.n if original else None,
    )


def _fidelity(artifact: Artifact) -> Gate:
    fidelity = artifact.fidelity
    unknown = artifact.verdict == "unverified"
    return Gate(
        name="fidelity",
        subject=artifact.path,
        limit=fidelity.tolerance if fidelity and fidelity.tolerance is not None else "as the precision allows",
        value=fidelity.max_rel if fidelity else None,
        passed=True if artifact.verdict == "passed" else None if unknown else False,
        reason=artifact.reason or (fidelity.reason if fidelity else None),
    )


def _accuracy(limits: UserLimits, subject: str, found: Accuracy | None, confidence: float | None) -> Gate:
    name, limit = "max-accuracy-drop", limits.max_accuracy_drop
    assert limit is not None
    if found is None or found.drop is None:
        reason = "no labelled data: the drop cannot be told (give --data)"
        return Gate(name=name, subject=subject, limit=limit, unit="points", passed=None, reason=reason)
    limit = limits.allowed_drop(found) or 0.0
    value = found.drop
    if confidence is not None and found.drop_ci95 is not None:
        value = found.drop_ci95[1]
    needed = samples_needed(found, limit)
    said = words.difference(limit, found.unit).removeprefix("+")
    resolves = f"; a limit of {said} needs about {needed:,} samples, here are {found.n:,}"
    interval = f", 95 % interval {words.interval(found)}" if found.drop_ci95 else ""
    return Gate(
        name=name,
        subject=subject,
        limit=limit,
        value=value,
        unit="points" if found.unit in ("fraction", "points") else found.unit,
        passed=value <= limit,
        reason=f"{found.metric}: drop {words.drop(found)} on {found.n:,} samples{interval}"
        + (resolves if needed is not None and needed > found.n else ""),
        n=found.n,
        samples_needed=needed,
    )


def samples_needed(found: Accuracy, limit: float) -> int | None:
    """How many labelled samples would tell a drop of `limit` (points of the metric) from none; None where these do not
    say. An interval is as wide as one over the root of the number of samples."""
    if found.only_original_right is not None and found.only_this_right is not None:
        differ = (found.only_original_right + found.only_this_right) / found.n
        return samples_to_resolve(limit, differ) if 0 < limit < 100 else None
    if found.drop_ci95 is None or limit <= 0:
        return None
    half = (found.drop_ci95[1] - found.drop_ci95[0]) / 2
    return math.ceil(found.n * (half / limit) ** 2) if half > limit else found.n


def _cost(name: str, limit: float, artifact: Artifact, confidence: float | None) -> Gate:
    value: float | None
    reason, ends = None, None
    if name == "max_size":
        value = artifact.size_bytes
    elif name == "min_speedup":
        measured = [each for each in artifact.speedups if each.baseline == "original"]
        value = measured[0].value if measured else None
        reason, ends = (measured[0].reason, measured[0].ci95) if measured else (None, None)
    else:
        figure = artifact.cost.get(_COST_OF[name])
        value = float(figure.value) if figure and isinstance(figure.value, int | float) else None
        reason, ends = (figure.reason, figure.ci95) if figure else (None, None)
        if figure and figure.provenance == "emulated" and name == "max_latency":
            value, reason = None, "emulated: no speed is claimed from an emulator"
    if value is not None and ends is not None and confidence is not None:
        reason = f"the bad end of the 95 % interval, where the estimate is {words.limit(value, unit_of(name))}"
        value = bad_end(name, ends)
    passed = None if value is None else keeps(name, value, limit)
    if value is None and reason is None:
        reason = "not measured on this target"
    shown = name.replace("_", "-")
    return Gate(
        name=shown, subject=artifact.path, limit=limit, value=value, unit=unit_of(name), passed=passed, reason=reason
    )
