"""A finished run judged again: what it ships, against limits and against the run that was accepted last."""

from __future__ import annotations

from dataclasses import dataclass

from dlpipe.errors import GateFailed
from dlpipe.pipeline import gates as gating
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.regression import regressions
from dlpipe.report import summary
from dlpipe.report.schema import Artifact, Gate, Report, Stage
from dlpipe.report.scorecard import ancestors

SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Judged:
    """`broken`: the gates for which the exit code is 3."""

    gates: tuple[Gate, ...]
    broken: tuple[Gate, ...]

    @property
    def error(self) -> GateFailed | None:
        if not self.broken:
            return None
        first = self.broken[0]
        more = f", and {len(self.broken) - 1} more" if len(self.broken) > 1 else ""
        return GateFailed(f"{first.name} of {first.subject}: {summary.gate(first)}{more}")


def judge(
    report: Report,
    accepted: Report | None,
    limits: UserLimits,
    *,
    confidence: float | None = None,
    require_verified: bool = False,
    accepting: bool = False,
) -> Judged:
    """Limits hold for the chosen artefact of each target: that is what ships; what the run itself held the original
    against holds too. A limit that cannot be evaluated is broken; a regression that cannot be told is not. accepting:
    this run is about to be the baseline, so that it may be worse."""
    chosen = [each for each in (summary.selected(report, target) for target in report.selected) if each is not None]
    shipped = [_shipped(report, target) for target in dict.fromkeys(each.target for each in report.artifacts)]
    limited = gating.evaluate(limits, chosen, _compiled_from(report, chosen), confidence=confidence)
    of_the_original = [each for each in report.gates if each.subject == "reference"]
    found = [*shipped, *limited, *of_the_original]
    broken = [each for each in found if each.passed is False or (each.passed is None and _must_be_told(each))]
    if require_verified:
        broken += [each for each in found if each.passed is None and each not in broken]
    worse = regressions(accepted, report) if accepted is not None else []
    broken += [each for each in worse if each.passed is False and not accepting]
    return Judged((*found, *worse), tuple(broken))


def _must_be_told(gate: Gate) -> bool:
    return gate.name not in (SHIPPED, "fidelity")


def _shipped(report: Report, target: str) -> Gate:
    blank = Gate(name=SHIPPED, subject=target, limit="an artefact that passed", passed=True)
    if target in report.selected:
        return blank.model_copy(update={"value": report.selected[target].path})
    mine = [each for each in report.artifacts if each.target == target]
    made = [each for each in mine if each.verdict == "unverified" and each.digest is not None]
    reason = "; ".join(dict.fromkeys(f"{summary.name(each)}: {each.reason or each.verdict}" for each in made or mine))
    return blank.model_copy(update={"passed": None if made else False, "reason": reason})


def _compiled_from(report: Report, chosen: list[Artifact]) -> dict[str, Stage]:
    """The nearest model that an artefact descends from and whose accuracy is known."""
    found = {}
    for artifact in chosen:
        above = ancestors(report, artifact)
        judged = [stage for stage in report.stages if stage.id in above and stage.kind == "pass" and stage.accuracy]
        if judged:
            found[artifact.path] = judged[-1]
    return found
