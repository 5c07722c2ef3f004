"""The stages of an artefact in parts: cut, compile each part, join them, execute one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dlpipe.contracts.backend import Backend, Target
from dlpipe.contracts.call import Call
from dlpipe.errors import Unsupported
from dlpipe.ir.calls import attach_call
from dlpipe.passes.registry import pass_call
from dlpipe.pipeline import boards
from dlpipe.pipeline.lowering import lowering_stages
from dlpipe.pipeline.partition import Part
from dlpipe.pipeline.stage import Outcome, Stage
from dlpipe.pipeline.timing import Timed, TimedInParts
from dlpipe.targets.chain import feed_call, gather_call, join_call
from dlpipe.targets.emulation import program_call
from dlpipe.targets.machinecode import files, isa_call


def check_callable(parts: Sequence[Part], target: Target) -> None:
    """Raises Unsupported where a part could not be called beside others."""
    for each in parts:
        if program_call(each.backend, target, each.variant) is None:
            raise Unsupported(f"{each.backend.name} has no program here that could be called beside another's")


def compile_stages(
    id_: str, tool: Backend, target: Target, variant: str, parts: Sequence[Part], ir: str
) -> list[Stage]:
    """Ends in the stage `id_`, whose output is the artefact."""
    stages: list[Stage] = []
    joined = {"ir": ir}
    for number, part in enumerate(parts):
        cut = f"cut:{id_}#{number}"
        params = {"inputs": list(part.inputs), "outputs": list(part.outputs)}
        stages.append(Stage(cut, "package", pass_call("extract", **params), {"ir": ir}, required=False))
        lowered = lowering_stages(part.backend, {"operators": part.operators, "nodes": []}, ir=cut, made=cut)
        stages += lowered
        source = lowered[-1].id if lowered else cut
        compiled, shipped = f"{id_}#{number}", _shipped(id_, number)
        call = part.backend.compile_call(target, part.variant)
        stages.append(Stage(compiled, "compile", call, {"ir": source}, required=False))
        both = {"artifact": compiled, "ir": source}
        stages.append(Stage(shipped, "package", attach_call(), both, required=False))
        joined[f"part{number}"] = shipped
        if code := files(part.backend, target):
            isa = Stage(f"isa:{compiled}", "measure", isa_call(target, code), {"artifact": compiled}, required=False)
            stages.append(isa)
            joined[f"isa{number}"] = isa.id
    call = join_call(tool, target, variant, [_described(each, target) for each in parts])
    return [*stages, Stage(id_, "compile", call, joined, required=False)]


@dataclass(frozen=True, slots=True)
class Link:
    """A part that can be executed: `artifact` is a stage's id, or `tree:<digest>`. `time` is None where it has no speed
    here."""

    call: Call
    time: Call | None
    artifact: str
    inputs: tuple[str, ...]


def links(id_: str, target: Target, parts: Sequence[Part]) -> list[Link]:
    """Empty where one of them cannot be executed here."""
    calls = [boards.run_call(part.backend, target, part.variant) for part in parts]
    found = zip(calls, parts, strict=True)
    made = [
        Link(call, boards.timing_call(part.backend, target, part.variant), _shipped(id_, number), part.inputs)
        for number, (call, part) in enumerate(found)
        if call is not None
    ]
    return made if len(made) == len(parts) else []


def run_stages(id_: str, chain: Sequence[Link], samples: str) -> list[Stage]:
    """Each part on what those before it gave."""
    stages: list[Stage] = []
    known = {"samples": samples}
    for number, link in enumerate(chain):
        fed, ran = _fed(id_, number), _run(id_, number)
        stages.append(Stage(fed, "data", feed_call(link.inputs), dict(known), required=False))
        inputs = {"artifact": link.artifact, "samples": fed}
        stages.append(Stage(ran, "run", link.call, inputs, required=False))
        known[f"part{number}"] = ran
    return stages


def gather_stage(id_: str, count: int, outputs: Sequence[str], samples: str, outcomes: Mapping[str, Outcome]) -> Stage:
    """`run:ID`, as of any artefact, once its `count` parts have run. It ran where they did; of several places that is
    the one that is not this machine's processor."""
    runs = {f"part{number}": _run(id_, number) for number in range(count)}
    said = [outcomes[name].value or {} for name in runs.values()]
    places = [str(each.get("ran_on", "none")) for each in said]
    ran_on = next((place for place in places if place != "native"), "native")
    call = gather_call(outputs, ran_on, [str(each.get("tool")) for each in said])
    return Stage(f"run:{id_}", "run", call, {"samples": samples, **runs}, required=False)


def timed(id_: str, name: str, chain: Sequence[Link], outcomes: Mapping[str, Outcome]) -> TimedInParts | None:
    """What is timed of it, under that name, once its `run_stages` went well: each part on what it was fed there. None
    where a part has no speed here."""
    parts = []
    for number, link in enumerate(chain):
        if link.time is None:
            return None
        inputs = {"artifact": _tree(link.artifact, outcomes), "samples": outcomes[_fed(id_, number)].output}
        parts.append(Timed(f"{name}#{number}", link.time, inputs))
    return TimedInParts(name, tuple(parts))


def _tree(ref: str, outcomes: Mapping[str, Outcome]) -> str:
    return ref.removeprefix("tree:") if ref.startswith("tree:") else outcomes[ref].output


def _described(part: Part, target: Target) -> dict[str, object]:
    call = program_call(part.backend, target, part.variant)
    assert call is not None  # check_callable
    return {
        "backend": part.backend.name,
        "variant": part.variant,
        "nodes": list(part.nodes),
        "inputs": list(part.inputs),
        "outputs": list(part.outputs),
        "guest": call.params["guest"],
        "code": call.params["code"],
    }


def _shipped(id_: str, number: int) -> str:
    return f"{id_}#{number}".replace("compile:", "package:", 1)


def _fed(id_: str, number: int) -> str:
    return f"samples:{id_}#{number}"


def _run(id_: str, number: int) -> str:
    return f"run:{id_}#{number}"
