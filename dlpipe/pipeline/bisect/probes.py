"""A part of two forms of a model, fed with the reference's values: does the part of the candidate depart?"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from dlpipe.contracts.backend import Backend, Target
from dlpipe.data import inside_call
from dlpipe.ir.calls import attach_call, run_call
from dlpipe.ir.contract import Contract
from dlpipe.measure import fidelity_call
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline import boards
from dlpipe.pipeline.bisect.hops import brought
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Outcome, Stage

_numbers = itertools.count()
# All of their stages are of the kind "measure": what they make is no model of the run, and does not show in its report.


@dataclass(frozen=True, slots=True)
class Tried:
    """fidelity: of the candidate's part against the reference's; None where it could not be had, for `reason`.
    reference, candidate, samples: ids of the stages that hold the parts, and what the reference's is fed with;
    compiled: of the one that compiled the candidate's."""

    fidelity: Mapping[str, Any] | None
    reason: str | None
    reference: str
    candidate: str
    samples: str
    compiled: str | None = None

    @property
    def departs(self) -> bool | None:
        return None if self.fidelity is None or self.fidelity["passed"] is None else not self.fidelity["passed"]

    @property
    def departing(self) -> list[str]:
        """The values that depart."""
        outputs = self.fidelity["outputs"] if self.fidelity is not None else {}
        return [name for name, each in outputs.items() if each["passed"] is False]


class Probe(Protocol):
    def __call__(self, inputs: Sequence[str], outputs: Sequence[str]) -> Tried:
        """The part from `inputs` (none: from the model's own) to `outputs`: values of the candidate."""
        ...


@dataclass(frozen=True, slots=True)
class Compiled:
    """Of an IR, and what a backend makes of it. sample: id of the stage that holds what the IR is fed with. calibrates:
    whether the backend wants samples when it compiles."""

    session: Session
    ir: str
    tool: Backend
    target: Target
    variant: str
    precision: str
    sample: str
    calibrates: bool = False

    def __call__(self, inputs: Sequence[str], outputs: Sequence[str]) -> Tried:
        name = f"part:{next(_numbers)}"
        part = part_of(name, self.ir, self.sample, inputs, outputs)
        run = boards.run_call(self.tool, self.target, self.variant)
        assert run is not None  # it has run before
        compile_call, compiled, artifact = self.tool.compile_call(self.target, self.variant), f"{name}:c", f"{name}:a"
        both = {"artifact": compiled, "ir": part.graph}
        made_of = {"ir": part.graph, **({"samples": part.samples} if self.calibrates else {})}
        fed = {"artifact": artifact, "samples": part.samples}
        answers = {"reference": part.answers, "candidate": f"{name}:run"}
        stages = [
            *part.stages,
            Stage(compiled, "measure", compile_call, made_of, required=False),
            Stage(artifact, "package", attach_call(), both, required=False),
            Stage(f"{name}:run", "run", run, fed, required=False),
            Stage(f"{name}:fidelity", "measure", fidelity_call(self.precision), answers, required=False),
        ]
        outcome = self.session.executor.run(stages)[f"{name}:fidelity"]
        return _tried(outcome, part, artifact, compiled)


@dataclass(frozen=True, slots=True)
class Graphs:
    """Of two graphs. pairs: values of the candidate -> of the reference. sample: what the reference is fed with."""

    session: Session
    reference: str
    candidate: str
    pairs: Mapping[str, str]
    precision: str
    sample: str

    def __call__(self, inputs: Sequence[str], outputs: Sequence[str]) -> Tried:
        name = f"part:{next(_numbers)}"
        theirs = [[self.pairs[each] for each in side] for side in (inputs, outputs)]
        part = part_of(name, self.reference, self.sample, *theirs)
        mine = Stage(f"{name}:own", "measure", _extract(inputs, outputs), {"ir": self.candidate}, required=False)
        executor = self.session.executor
        outcomes = executor.run([*part.stages, mine])
        bad = next(
            (outcomes[each] for each in (part.graph, mine.id, part.answers) if outcomes[each].status != "ok"), None
        )
        if bad is not None:
            return _tried(bad, part, mine.id)
        reference, candidate = (_contract(self.session, outcomes[each]) for each in (part.graph, mine.id))
        back = {other: own for own, other in self.pairs.items() if own in {port.name for port in candidate.inputs}}
        fed, answers = part.samples, f"{name}:run"
        stages: list[Stage] = []
        if call := brought(reference.inputs, candidate.inputs, back):
            fed = f"{name}:samples"
            stages.append(Stage(fed, "data", call, {"data": part.samples}, required=False))
        stages.append(Stage(answers, "run", run_call(), {"ir": mine.id, "samples": fed}, required=False))
        if call := brought(candidate.outputs, reference.outputs, self.pairs):
            stages.append(Stage(f"{answers}:named", "data", call, {"data": answers}, required=False))
            answers = f"{answers}:named"
        both = {"reference": part.answers, "candidate": answers}
        stages.append(Stage(f"{name}:fidelity", "measure", fidelity_call(self.precision), both, required=False))
        return _tried(executor.run(stages)[f"{name}:fidelity"], part, mine.id)


@dataclass(frozen=True, slots=True)
class Part:
    """Of a graph, by the ids of stages: itself, what it is fed with, and what it answers."""

    stages: tuple[Stage, ...]
    graph: str
    samples: str
    answers: str


def part_of(name: str, ir: str, sample: str, inputs: Sequence[str], outputs: Sequence[str]) -> Part:
    """From values to values of the graph `ir`, fed with what that has there."""
    cut, answers = f"{name}:cut", f"{name}:answers"
    made = Stage(cut, "measure", _extract(inputs, outputs), {"ir": ir}, required=False)
    if not inputs:
        run = Stage(answers, "measure", run_call(), {"ir": cut, "samples": sample}, required=False)
        return Part((made, run), cut, sample, answers)
    shown = _extract((), list(dict.fromkeys((*inputs, *outputs))))
    fed = {"values": f"{name}:shown:run", "samples": sample}
    stages = (
        made,
        Stage(f"{name}:shown", "measure", shown, {"ir": ir}, required=False),
        Stage(f"{name}:shown:run", "measure", run_call(), {"ir": f"{name}:shown", "samples": sample}, required=False),
        Stage(answers, "data", inside_call(inputs, outputs), fed, required=False),
    )
    return Part(stages, cut, answers, answers)


def _extract(inputs: Sequence[str], outputs: Sequence[str]) -> Any:
    return pass_call("extract", inputs=list(inputs), outputs=list(outputs))


def _contract(session: Session, outcome: Outcome) -> Contract:
    return Contract.model_validate_json(session.store.read(outcome.output, "contract.json"))


def _tried(outcome: Outcome, part: Part, candidate: str, compiled: str | None = None) -> Tried:
    value = outcome.value if outcome.status == "ok" and "passed" in (outcome.value or {}) else None
    reason = None if value is not None else outcome.reason
    return Tried(value, reason, part.graph, candidate, part.samples, compiled)
