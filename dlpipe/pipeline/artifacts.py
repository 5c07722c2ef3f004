"""Backend x variant for a target: pre-flight, compile, execute, compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from dlpipe.contracts.backend import Backend, Refusal, Target
from dlpipe.contracts.call import Call
from dlpipe.contracts.tuning import Tunable
from dlpipe.errors import DlpipeError, Unsupported, UserError
from dlpipe.ir.calls import attach_call
from dlpipe.passes.recipes import Recipe, recipe
from dlpipe.pipeline import boards, chained
from dlpipe.pipeline.checks import judge
from dlpipe.pipeline.lowering import lower
from dlpipe.pipeline.partition import Part, partition
from dlpipe.pipeline.preflight import refusals
from dlpipe.pipeline.request import ConvertRequest
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.pipeline.tuning.tune import Tuned, tune
from dlpipe.targets.machinecode import files, isa_call
from dlpipe.targets.registry import BACKENDS, backend, backends
from dlpipe.toolchains.spec import Spec

DEFAULT_BACKENDS = 3
MAX_CUTS = 4  # for what a compiler says, one at a time, each followed by another try
NO_MODEL: Mapping[str, Any] = {"operators": {}, "nodes": []}
ON_REQUEST = ("bf16", "int4")  # precisions that "auto" does not try: few models gain by them


@dataclass(frozen=True, slots=True)
class Candidate:
    """One artefact to be: `recipe` makes the IR, which the backend compiles as its own `variant` (a precision).
    `refusals` says why pre-flight ruled it out, `missing` why there is no IR to compile it from; then it has no
    stages. `fallback` may take what the backend cannot do; then it is made in `parts`."""

    target: Target
    backend: Backend
    variant: str
    recipe: Recipe
    refusals: tuple[Refusal, ...] = ()
    missing: str | None = None
    fallback: Backend | None = None
    parts: tuple[Part, ...] = ()

    @property
    def name(self) -> str:
        """Of the variant, for people: the recipe's, or the precision that the backend makes of a plainer IR."""
        return self.variant if self.recipe.name == self.backend.ir_variant(self.variant) else self.recipe.name

    @property
    def quantised_for(self) -> Target:
        """The target, with the integers that this backend wants on it."""
        return self.target.quantised_for(self.backend.name)

    @property
    def ir_name(self) -> str:
        """Of the IR that it is compiled from: what the recipe makes for the target, or for this backend on it."""
        own = self.recipe.steps and self.quantised_for is not self.target
        return f"{self.recipe.name} for {self.backend.name}" if own else self.recipe.name

    @property
    def calibrates(self) -> bool:
        """Whether the backend chooses the scales itself."""
        return self.variant in getattr(self.backend, "calibrates", ())

    @property
    def judged_as(self) -> str:
        return self.recipe.judged_as if self.name == self.recipe.name else self.variant

    @property
    def path(self) -> str:
        return f"artifacts/{self.target.name}/{self.backend.name}-{self.name}"

    @property
    def id(self) -> str:
        return f"compile:{self.target.name}/{self.backend.name}-{self.name}"

    @property
    def shipped(self) -> str:
        """Id of the stage whose output is handed to the user: what was compiled, with its contract beside it."""
        return self.id.replace("compile:", "package:", 1)


def choose_backends(target: Target, request: ConvertRequest) -> list[Backend]:
    """The user's, or the target's default choice; `all`: whatever makes something for the target. Raises UserError for
    a name that is none."""
    if request.backends == ("all",):
        others = [tool for name, tool in backends().items() if name not in target.backends and name not in BACKENDS]
        return [*map(backend, target.backends), *(tool for tool in others if tool.variants(target))]
    named = [backend(name) for name in request.backends or target.backends[:DEFAULT_BACKENDS]]
    # With several targets each takes those that are for it; what is for none of its kind would only be refused.
    fitting = [tool for tool in named if tool.name in target.backends or tool.name not in BACKENDS]
    return fitting if len(request.targets) > 1 and fitting else named


def candidates(target: Target, request: ConvertRequest) -> list[Candidate]:
    """Before anything is known of the model: which backend x precision this run will try.

    Raises UserError when none of the backends has the precision, or takes the recipes, that were asked for.
    """
    tools = choose_backends(target, request)
    fallback = backend(request.allow_fallback) if request.allow_fallback is not None else None
    if request.recipes:
        found = [
            Candidate(target, tool, each.precision, each, fallback=fallback)
            for tool in tools
            for each in _read(tool, target, request)
        ]
    else:
        found = [
            Candidate(target, tool, variant, recipe(tool.ir_variant(variant)), fallback=fallback)
            for tool in tools
            for variant in tool.variants(target)
            if request.precision == variant or (request.precision == "auto" and variant not in ON_REQUEST)
        ]
    if not found:
        raise _none_makes_it(target, tools, request)
    return found


def _none_makes_it(target: Target, tools: list[Backend], request: ConvertRequest) -> UserError:
    """Why no backend has what is wanted, each in its own words; what is wrong with the target goes first."""
    wanted = ", ".join(each.name for each in request.recipes) or request.precision
    reasons: list[str] = []
    made: set[str] = set()
    for tool in tools:
        variants = tool.variants(target)
        refused = refusals(tool, target, variants[0], NO_MODEL) if variants else ()
        if refused:
            reasons.append(f"{tool.name}: {refused[0]}")
        elif own := [each.precision for each in request.recipes if each.precision in variants]:
            reasons.append(f"{tool.name} makes {own[0]} itself, and reads no model that a recipe brought to it")
            made.update(own)
        elif variants:
            reasons.append(f"{tool.name} makes {' and '.join(variants)} only")
            made.update(variants)
        else:
            reasons.append(f"{tool.name} makes nothing for it")
    hint = f"--precision {' or '.join(sorted(made))}" if made else f"{target.name} has {', '.join(target.backends)}"
    what = "nothing" if wanted == "auto" else f"no {wanted}"
    return UserError(f"{what} can be made for {target.name}: {'; '.join(reasons)}", hint=hint)


def _read(tool: Backend, target: Target, request: ConvertRequest) -> list[Recipe]:
    """Of the recipes asked for, those whose result the backend reads: one that makes fp16 itself reads no fp16."""
    return [
        each
        for each in request.recipes
        if each.precision in tool.variants(target) and tool.ir_variant(each.precision) == each.precision
    ]


def calls(found: Iterable[Candidate]) -> list[Call]:
    """What compiling and executing them will call, whatever the model turns out to be. None for candidates whose
    target alone is reason enough to refuse them."""
    made: list[Call | None] = []
    for each in found:
        if not each.backend.refusals(each.target, each.variant, NO_MODEL):
            made.append(each.backend.compile_call(each.target, each.variant))
            made.append(each.backend.run_call(each.target, each.variant))
            if each.fallback is not None:
                made.append(each.fallback.compile_call(each.target, each.backend.ir_variant(each.variant)))
            if code := files(each.backend, each.target):
                made.append(isa_call(each.target, code))
    return [call for call in made if call is not None]


def refuse_unaccepted(session: Session, wanted: Iterable[Candidate]) -> None:
    """Raises ToolMissing where every artefact waits for the user's word on a licence: where only some do, those fail
    alone."""
    waiting = [_unaccepted(session, calls([each])) for each in wanted]
    if waiting and waiting[0] is not None and all(waiting):
        raise session.toolchains.licences.refusal(waiting[0])


def _unaccepted(session: Session, needed: Iterable[Call]) -> Spec | None:
    names = (name for call in needed for name in (call.toolchain, *call.resources))
    return next((spec for name in names if (spec := session.toolchains.unaccepted(name))), None)


@dataclass(frozen=True, slots=True)
class Built:
    """One candidate, and the id of the stage that holds the IR it was, or would have been, compiled from. `tuned`: what
    came of tuning, where that was asked for."""

    candidate: Candidate
    ir: str
    tuned: Tuned | None = None


def build(
    session: Session,
    found: list[Candidate],
    samples: Samples,
    irs: Mapping[str, str],
    meanwhile: Iterable[Stage] = (),
    tuning: Mapping[str, float] = MappingProxyType({}),
) -> list[Built]:
    """Compile, execute and compare every candidate that pre-flight lets pass. Returns all, with their refusals.
    `irs` maps a candidate's `ir_name` to the id of the stage that holds that IR; `meanwhile` are executed beside.
    `tuning`: candidate's id -> seconds; that comes last, since it wants the machine to itself."""
    executor = session.executor
    lowered = {}
    for each in found:
        ir = irs[each.ir_name]
        described = executor.outcomes[f"describe:{ir}"]
        lowered[each.id] = lower(each.backend, each.recipe, samples, ir=ir, described=described)
    executor.run(stage for _, needed in lowered.values() for stage in needed)
    stages: list[Stage] = []
    result = []
    for candidate in found:
        ir, _ = lowered[candidate.id]
        described = executor.outcomes[f"describe:{ir}"]
        if described.status != "ok":
            missing = f"there is no {candidate.name} model: {described.reason}"
            result.append(Built(replace(candidate, missing=missing), ir))
            continue
        examined = examine(candidate, described.value)
        result.append(Built(examined, ir))
        if examined.parts or (not examined.refusals and candidate.id not in tuning):
            stages += _stages(examined, ir, samples)
    executor.run([*stages, *meanwhile])
    result = [_cut_further(session, each, samples) for each in result]
    executor.run(stage for each in result if each.candidate.parts for stage in _gathered(session, each, samples))
    return [
        _tuned(session, each, samples, tuning[each.candidate.id]) if _is_tuned(each.candidate, tuning) else each
        for each in result
    ]


def examine(candidate: Candidate, model: Mapping[str, Any], told: Sequence[Refusal] = ()) -> Candidate:
    """With what pre-flight says: why it is ruled out, or in which parts it is made all the same. `model` is what the
    describe operation says of the IR that it is compiled from; `told`: what its compiler said when it was tried."""
    tool, target, variant, fallback = candidate.backend, candidate.target, candidate.variant, candidate.fallback
    refused = (*refusals(tool, target, variant, model), *told)
    if not refused or fallback is None:
        return replace(candidate, refusals=refused)
    try:
        parts = partition(tool, fallback, target, variant, model, refused)
        chained.check_callable(parts, target)
    except Unsupported as error:
        return replace(candidate, refusals=(*refused, Refusal(f"it is not made in parts: {error.message}")))
    return replace(candidate, parts=parts)


def _cut_further(session: Session, built: Built, samples: Samples) -> Built:
    """Where the compiler itself named a node or operator that it cannot do, and the user allows another backend: that
    is cut out too, and the rest is tried again. As it was where that leads nowhere."""
    candidate, executor = built.candidate, session.executor
    model = executor.outcomes[f"describe:{built.ir}"].value
    told: list[Refusal] = []
    while candidate.fallback is not None and len(told) < MAX_CUTS and (named := _named(session, candidate)):
        told.append(named)
        further = examine(candidate, model, told)
        if not further.parts or further.parts == candidate.parts:
            break
        executor.forget(stage.id for stage in _stages(candidate, built.ir, samples))
        candidate = further
        executor.run(_stages(candidate, built.ir, samples))
    return replace(built, candidate=candidate)


def _named(session: Session, candidate: Candidate) -> Refusal | None:
    """What its backend refused when it compiled the whole, or its parts."""
    parts = enumerate(candidate.parts)
    own = [f"{candidate.id}#{number}" for number, part in parts if part.backend is candidate.backend] or [candidate.id]
    for outcome in map(session.executor.outcomes.get, own):
        error = outcome.error if outcome is not None else None
        if isinstance(error, Unsupported) and (error.where.get("node") or error.where.get("op")):
            return Refusal(error.message, node=error.where.get("node"), op=error.where.get("op"))
    return None


def _gathered(session: Session, built: Built, samples: Samples) -> list[Stage]:
    """What follows the runs of the parts."""
    candidate, outcomes = built.candidate, session.executor.outcomes
    if f"run:{candidate.id}#0" not in outcomes:
        return []
    against = samples.of(candidate.target)
    outputs = [port["name"] for port in outcomes[f"describe:{built.ir}"].value["outputs"]]
    gather = chained.gather_stage(candidate.id, len(candidate.parts), outputs, against.samples, outcomes)
    return [gather, *judge(candidate.id, candidate.judged_as, against, samples)]


def _is_tuned(candidate: Candidate, tuning: Mapping[str, float]) -> bool:
    return candidate.id in tuning and not (candidate.missing or candidate.refusals or candidate.parts)


def failure(session: Session, built: Built) -> DlpipeError | None:
    """Of the first of its stages that failed; None where all that there are went well, or it was ruled out."""
    outcomes, candidate = session.executor.outcomes, built.candidate
    stages = (candidate.id, candidate.shipped, f"isa:{candidate.id}", f"run:{candidate.id}")
    made = (outcomes.get(name) for name in (f"describe:{built.ir}", *stages))
    return next((each.error for each in made if each is not None and each.error is not None), None)


def _tuned(session: Session, built: Built, samples: Samples, seconds: float) -> Built:
    candidate = built.candidate
    tool = candidate.backend
    assert isinstance(tool, Tunable)
    name = candidate.id.removeprefix("compile:")
    tuned = tune(session, tool, candidate.target, candidate.variant, name=name, ir=built.ir, seconds=seconds)
    session.executor.run(_stages(candidate, built.ir, samples, tuned.records))
    return replace(built, tuned=tuned)


def _stages(candidate: Candidate, ir: str, samples: Samples, records: str | None = None) -> list[Stage]:
    """`records`: digest of what tuning found."""
    tool, target, variant = candidate.backend, candidate.target, candidate.variant
    beside = attach_call(samples.names if samples.truth == "class" else ())
    package = Stage(candidate.shipped, "package", beside, {"artifact": candidate.id, "ir": ir}, required=False)
    if parts := candidate.parts:
        chain = chained.links(candidate.id, target, parts)
        runs = chained.run_stages(candidate.id, chain, samples.of(target).samples)
        return [*chained.compile_stages(candidate.id, tool, target, variant, parts, ir), package, *runs]
    compile_call, inputs = tool.compile_call(target, variant), {"ir": ir}
    if candidate.calibrates:
        inputs["samples"] = samples.calibration
    if records is not None:
        compile_call, inputs["records"] = replace(compile_call, stage_class="hardware"), f"tree:{records}"
    stages = [Stage(candidate.id, "compile", compile_call, inputs, required=False), package]
    if code := files(tool, target):
        call = isa_call(target, code)
        stages.append(Stage(f"isa:{candidate.id}", "measure", call, {"artifact": candidate.id}, required=False))
    run = boards.run_call(tool, target, variant)
    if run is not None:
        against = samples.of(target)
        inputs = {"artifact": candidate.shipped, "samples": against.samples}
        stages.append(Stage(f"run:{candidate.id}", "run", run, inputs, required=False))
        stages += judge(candidate.id, candidate.judged_as, against, samples)
    return stages
