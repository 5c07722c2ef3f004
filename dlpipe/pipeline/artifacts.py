"""Backend x variant for a target: pre-flight, compile, execute, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from dlpipe.contracts.backend import Backend, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.errors import UserError
from dlpipe.ir.calls import attach_call
from dlpipe.pipeline.checks import judge
from dlpipe.pipeline.lowering import lower
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.targets.registry import backend, backends

DEFAULT_BACKENDS = 3


@dataclass(frozen=True, slots=True)
class Candidate:
    """One artefact to be. `refusals` says why pre-flight ruled it out, `missing` why there is no IR to compile it
    from; then it has no stages."""

    target: Target
    backend: Backend
    variant: str
    refusals: tuple[Refusal, ...] = ()
    missing: str | None = None

    @property
    def path(self) -> str:
        return f"artifacts/{self.target.name}/{self.backend.name}-{self.variant}"

    @property
    def id(self) -> str:
        return f"compile:{self.target.name}/{self.backend.name}-{self.variant}"

    @property
    def shipped(self) -> str:
        """Id of the stage whose output is handed to the user: what was compiled, with its contract beside it."""
        return self.id.replace("compile:", "package:", 1)


def choose_backends(target: Target, request: ConvertRequest) -> list[Backend]:
    """The user's, or the target's default choice. Raises UserError for a name that is none."""
    if request.backends == ("all",):
        return list(backends().values())
    return [backend(name) for name in request.backends or target.backends[:DEFAULT_BACKENDS]]


def candidates(target: Target, request: ConvertRequest) -> list[Candidate]:
    """Before anything is known of the model: which backend x precision this run will try.

    Raises UserError when none of the backends has the precision that was asked for.
    """
    found = [
        Candidate(target, tool, variant)
        for tool in choose_backends(target, request)
        for variant in tool.variants(target)
        if request.precision in ("auto", variant)
    ]
    if not found:
        names = ", ".join(tool.name for tool in choose_backends(target, request))
        raise UserError(f"no backend of {target.name} makes {request.precision}", hint=f"tried: {names}")
    return found


_NO_MODEL: Mapping[str, Any] = {"operators": {}, "nodes": []}


def calls(found: Iterable[Candidate]) -> list[Call]:
    """What compiling and executing them will call, whatever the model turns out to be. None for candidates whose
    target alone is reason enough to refuse them."""
    made: list[Call | None] = []
    for each in found:
        if not each.backend.refusals(each.target, each.variant, _NO_MODEL):
            made.append(each.backend.compile_call(each.target, each.variant))
            made.append(each.backend.run_call(each.target, each.variant))
    return [call for call in made if call is not None]


@dataclass(frozen=True, slots=True)
class Built:
    """One candidate, and the id of the stage that holds the IR it was, or would have been, compiled from."""

    candidate: Candidate
    ir: str


def build(
    session: Session,
    found: list[Candidate],
    samples: Samples,
    irs: Mapping[str, str],
    meanwhile: Iterable[Stage] = (),
) -> list[Built]:
    """Compile, execute and compare every candidate that pre-flight lets pass. Returns all, with their refusals.
    `irs` maps a precision to the id of the stage that holds its IR; `meanwhile` are executed beside."""
    executor = session.executor
    lowered = {}
    for each in found:
        precision = each.backend.ir_variant(each.variant)
        described = executor.outcomes[f"describe:{irs[precision]}"]
        lowered[each.id] = lower(each.backend, precision, samples, ir=irs[precision], described=described)
    executor.run(stage for _, needed in lowered.values() for stage in needed)
    stages: list[Stage] = []
    result = []
    for candidate in found:
        ir, _ = lowered[candidate.id]
        described = executor.outcomes[f"describe:{ir}"]
        if described.status != "ok":
            missing = f"there is no {candidate.variant} model: {described.reason}"
            result.append(Built(replace(candidate, missing=missing), ir))
            continue
        refusals = tuple(candidate.backend.refusals(candidate.target, candidate.variant, described.value))
        result.append(Built(replace(candidate, refusals=refusals), ir))
        if not refusals:
            stages += _stages(candidate, ir, samples)
    executor.run([*stages, *meanwhile])
    return result


def _stages(candidate: Candidate, ir: str, samples: Samples) -> list[Stage]:
    tool, target, variant = candidate.backend, candidate.target, candidate.variant
    stages = [
        Stage(candidate.id, "compile", tool.compile_call(target, variant), {"ir": ir}, required=False),
        Stage(candidate.shipped, "package", attach_call(), {"artifact": candidate.id, "ir": ir}, required=False),
    ]
    run = tool.run_call(target, variant)
    if run is not None:
        against = samples.full if target.runner == "native" else samples.emulated
        inputs = {"artifact": candidate.shipped, "samples": against.samples}
        stages.append(Stage(f"run:{candidate.id}", "run", run, inputs, required=False))
        stages += judge(candidate.id, variant, against, labelled=samples.labelled)
    return stages
