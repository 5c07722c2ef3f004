"""The IR passes in order, each proven against the original; a pass that breaks the model is left out, and said so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from dlpipe.passes.registry import STANDARD, pass_call, pass_info
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Optimised:
    """`ir` is the id of the stage that holds the result; `dropped` maps a pass to why its result was not used."""

    ir: str
    applied: tuple[str, ...]
    dropped: dict[str, str]


def optimise(session: Session, samples: Samples, *, start: str, passes: tuple[str, ...] = STANDARD) -> Optimised:
    """Run all passes at once as a chain. Where one fails or departs from the original, take the chain up again
    behind it without it: what was computed before it answers from the store."""
    executor = session.executor
    remaining = list(passes)
    dropped: dict[str, str] = {}
    while True:
        chain = pass_chain(start, remaining)
        executor.run([stage for link in chain for stage in (link, *check_ir(link.id, "fp32", samples))])
        bad = next((link.id for link in chain if _why_bad(executor.outcomes, link.id)), None)
        if bad is None:
            return Optimised(remaining[-1] if remaining else start, tuple(remaining), dropped)
        dropped[bad] = _why_bad(executor.outcomes, bad) or ""
        behind = remaining[remaining.index(bad) + 1 :]
        executor.forget(name for link in behind for name in (link, *_check_ids(link)))
        remaining.remove(bad)


def pass_chain(start: str, passes: Iterable[str] = STANDARD) -> list[Stage]:
    """One stage for each pass, each upon the one before it."""
    before, stages = start, []
    for name in passes:
        stages.append(Stage(name, "pass", pass_call(name), {"ir": before}, required=False))
        before = name
    return stages


def _check_ids(stage: str) -> tuple[str, ...]:
    return tuple(f"{check}:{stage}" for check in ("run", "describe", "fidelity", "accuracy"))


def _why_bad(outcomes: dict[str, Outcome], name: str) -> str | None:
    """Why a pass's result cannot be used; None when it can."""
    for stage in (name, f"run:{name}", f"fidelity:{name}"):
        if outcomes[stage].status == "failed":
            return f"{stage}: {outcomes[stage].reason}"
        if outcomes[stage].status == "skipped":
            return None  # something before it is to blame, and is found first
    fidelity = outcomes[f"fidelity:{name}"].value
    if pass_info(name).exact and fidelity["passed"] is False:
        return f"its outputs depart from the original: {fidelity['reason']}"
    return None
