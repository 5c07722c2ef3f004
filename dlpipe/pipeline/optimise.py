"""The IR passes in order, each proven against the original; a pass that breaks the model is left out, and said so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dlpipe.contracts.passes import ChosenPass
from dlpipe.data import inside_call
from dlpipe.ir.calls import run_call
from dlpipe.passes.registry import STANDARD, pass_call, pass_info
from dlpipe.pipeline.bisect.in_stages import of_stages
from dlpipe.pipeline.checks import check_ids, check_ir
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage


@dataclass(frozen=True, slots=True)
class Optimised:
    """`ir` is the id of the stage that holds the result; `dropped` maps a pass to why its result was not used."""

    ir: str
    applied: tuple[str, ...]
    dropped: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Link:
    """A pass: what is executed for it, and which of it has to go well."""

    name: str
    stages: tuple[Stage, ...]
    needed: tuple[str, ...]


def optimise(
    session: Session,
    samples: Samples,
    *,
    start: str,
    passes: Sequence[ChosenPass] = tuple(map(ChosenPass, STANDARD)),
    outputs: Sequence[str] = (),
) -> Optimised:
    """Run all passes at once as a chain. Where one fails or departs from the original, take the chain up again
    behind it without it: what was computed before it answers from the store. `outputs`: names of the model's."""
    executor = session.executor
    remaining = list(passes)
    dropped: dict[str, str] = {}
    while True:
        links = _links(start, remaining, samples, outputs)
        executor.run([stage for link in links for stage in link.stages])
        bad = next((link for link in links if _why_bad(executor.outcomes, link)), None)
        if bad is None:
            names = tuple(chosen.name for chosen in remaining)
            return Optimised(names[-1] if names else start, names, dropped)
        dropped[bad.name] = f"{_why_bad(executor.outcomes, bad)}{_where(session, bad.name)}"
        behind = links[links.index(bad) + 1 :]
        executor.forget(stage.id for link in behind for stage in link.stages)
        remaining = [chosen for chosen in remaining if chosen.name != bad.name]


def pass_chain(start: str, passes: Iterable[str] = STANDARD) -> list[Stage]:
    """One stage for each pass, each upon the one before it."""
    before, stages = start, []
    for name in passes:
        stages.append(Stage(name, "pass", pass_call(name), {"ir": before}, required=False))
        before = name
    return stages


def _links(start: str, passes: Iterable[ChosenPass], samples: Samples, outputs: Sequence[str]) -> list[_Link]:
    before, links = start, []
    for chosen in passes:
        name = chosen.name
        stages = [Stage(name, "pass", pass_call(name, **chosen.params), {"ir": before}, required=False)]
        if name == "extract":
            outputs = chosen.params.get("outputs") or outputs
            inside, samples = _values_inside(before, chosen.params.get("inputs", ()), outputs, samples)
            stages += inside
        stages += check_ir(name, "fp32", samples)
        needed = [stage.id for stage in stages if stage.id not in check_ids(name)]
        links.append(_Link(name, tuple(stages), (*needed, f"run:{name}", f"fidelity:{name}")))
        before = name
    return links


def _values_inside(
    whole: str, inputs: Sequence[str], outputs: Sequence[str], samples: Samples
) -> tuple[list[Stage], Samples]:
    """What a part of the model `whole` is fed with and shall answer: the values that the whole one has there."""
    shown = pass_call("extract", outputs=list(dict.fromkeys((*inputs, *outputs))))
    fed = {"samples": samples.full.samples}
    stages = [
        Stage("extract:shown", "pass", shown, {"ir": whole}, required=False),
        Stage("extract:run", "measure", run_call(), {"ir": "extract:shown", **fed}, required=False),
        Stage("extract:values", "data", inside_call(inputs, outputs), {"values": "extract:run", **fed}, required=False),
    ]
    values = SampleSet("extract:values", "extract:values", samples.full.resolution)
    return stages, replace(samples, full=values, labelled=False)


def _where(session: Session, name: str) -> str:
    """At which node its result begins to depart, where it ran at all."""
    found = of_stages(session, [name])
    return f"; {found[name].said}" if name in found else ""


def _why_bad(outcomes: dict[str, Outcome], link: _Link) -> str | None:
    """Why a pass's result cannot be used; None when it can."""
    name = link.name
    for stage in link.needed:
        if outcomes[stage].status == "failed":
            return f"{stage}: {outcomes[stage].reason}"
        if outcomes[stage].status == "skipped":
            return None  # something before it is to blame, and is found first
    fidelity = outcomes[f"fidelity:{name}"].value
    if pass_info(name).exact and fidelity["passed"] is False:
        return f"its outputs depart from the original: {fidelity['reason']}"
    return None
