"""The error that the exit code of a run speaks of, if any."""

from __future__ import annotations

from collections.abc import Container, Mapping

from dlpipe.errors import DlpipeError, GateFailed, StageFailed, ToolMissing
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.report import summary
from dlpipe.report.schema import Artifact, Gate, Report
from dlpipe.report.scorecard import ancestors

Errors = Mapping[str, DlpipeError]  # artefact's path -> what the stage raised that failed on it


def judge_run(request: ConvertRequest, report: Report, errors: Errors) -> DlpipeError | None:
    """None: every target has what was asked for. An artefact that was built and cannot be executed here is enough,
    whatever became of the others, unless only verified ones count."""
    unexpected = [gate for gate in report.gates if gate.name == "expected-top-1" and not gate.passed]
    if unexpected:
        return GateFailed(f"the original gives {unexpected[0].value}; {unexpected[0].reason}", stage="reference")
    found = (_judge_target(request, report, name, errors) for name in request.targets)
    return next((each for each in found if each is not None), None)


def _judge_target(request: ConvertRequest, report: Report, target: str, errors: Errors) -> DlpipeError | None:
    mine = [each for each in report.artifacts if each.target == target]
    built = [each for each in mine if each.verdict == "unverified" and each.digest is not None]
    if target in report.selected:
        if request.require_verified and built:
            return _unverified(target, built)
        named = (_broken_backend(report, name, mine, errors) for name in request.backends)
        return next((each for each in named if each is not None), None)
    broken = _broken_gate(request, report, mine, errors)
    if broken is not None:
        return broken
    if built:
        return _unverified(target, built) if request.require_verified else None
    return _nothing(target, mine, errors)


def _unverified(target: str, built: list[Artifact]) -> DlpipeError:
    return GateFailed(f"{target}: not verified: {built[0].reason}", target=target)


def _broken_backend(report: Report, backend: str, mine: list[Artifact], errors: Errors) -> DlpipeError | None:
    """A limit that everything breaks which a backend asked for by name made, though another's artefact keeps it."""
    sound = [each for each in mine if each.backend == backend and each.digest and each.path not in errors]
    broken = [_broken_limit(report, {each.path, *ancestors(report, each)}) for each in sound]
    first = next(iter(broken), None)
    if first is None or None in broken:
        return None
    return _gate_failed(f"{mine[0].target}: {backend}, which was asked for by name, breaks a limit", first)


def _broken_limit(report: Report, subjects: Container[str]) -> Gate | None:
    limits = (each for each in report.gates if each.subject in subjects and each.name != "fidelity")
    return next((each for each in limits if each.passed is not True), None)


def _broken_gate(request: ConvertRequest, report: Report, mine: list[Artifact], errors: Errors) -> DlpipeError | None:
    """A limit that what was made breaks, or artefacts that ran and are wrong: where none else is left, or where their
    precision was asked for by name."""
    sound = {each.path: each for each in mine if each.digest is not None and each.path not in errors}
    limit = _broken_limit(report, {*sound, *(stage.id for stage in report.stages)}) if sound else None
    wrong = [
        each for each in report.gates if each.subject in sound and each.name == "fidelity" and each.passed is False
    ]
    named = (request.precision, *(recipe.name for recipe in request.recipes))
    asked = [each for each in wrong if sound[each.subject].variant in named]
    others = any(each.verdict == "unverified" for each in sound.values())
    worst = limit or next(iter(asked if others else wrong), None)
    if worst is None:
        return None
    left = "every artefact that could be checked is ruled out" if others else "no artefact is left"
    return _gate_failed(f"{mine[0].target}: {left}", worst)


def _gate_failed(what: str, worst: Gate) -> DlpipeError:
    return GateFailed(
        f"{what}: {worst.name} of {worst.subject}: {summary.gate(worst)}",
        hint="see the gates in report.html"
        + (f"; about {worst.samples_needed:,} samples would resolve this limit" if worst.samples_needed else ""),
        stage=worst.subject,
        limit=worst.limit,
        value=worst.value,
        samples=worst.n,
    )


def _nothing(target: str, mine: list[Artifact], errors: Errors) -> DlpipeError:
    """No artefact was made, or none that survived being run: the tool's crash goes before what was refused, and before
    tools that are not there, which is for the user to settle where that is all."""
    alike: dict[tuple[str, str | None], list[str]] = {}
    for each in mine:
        alike.setdefault((each.backend, each.reason), []).append(each.variant)
    said = [f"{backend} ({', '.join(variants)}): {why}" for (backend, why), variants in alike.items()]
    crashed = [each for each in mine if isinstance(errors.get(each.path), StageFailed)]
    missing = [error for each in mine if isinstance(error := errors.get(each.path), ToolMissing)]
    if not crashed and len(missing) == len(mine):
        what = f"no artefact for {target} is left: {missing[0].message}"
        return ToolMissing(what, hint=missing[0].hint, **missing[0].where)
    if not crashed:
        return GateFailed(f"no artefact for {target} is left: {'; '.join(said)}", target=target)
    first, error = crashed[0], errors[crashed[0].path]
    what = f"{first.backend} {first.variant}: {error.message}"
    return StageFailed(f"a tool failed, and no artefact for {target} is left: {what}", hint=error.hint, **error.where)
