"""Every form of the model between A and B runs on the same samples, and each is held against the one before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from dlpipe.contracts.call import Call
from dlpipe.data import rename_call
from dlpipe.ir.calls import run_call
from dlpipe.ir.contract import Port
from dlpipe.measure import fidelity_call
from dlpipe.pipeline.bisect.sides import Station
from dlpipe.pipeline.bisect.walking import telling_samples
from dlpipe.pipeline.compare import pairs, run_stage
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

_COARSE = ("fp32", "int16", "fp16", "bf16", "int8", "int4", "retrained")  # ever coarser


@dataclass(frozen=True, slots=True)
class Fed:
    """A station with what it is fed and answers. inputs, outputs: its own names -> those of A. samples: id of the stage
    whose arrays have its own names; answers: id of the stage whose arrays have A's."""

    station: Station
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    samples: str
    answers: str


@dataclass(frozen=True, slots=True)
class Hop:
    """fidelity: of `after` against `before` (contracts/measurement.py)."""

    before: Fed
    after: Fed
    precision: str
    fidelity: Mapping[str, Any]

    @property
    def departs(self) -> bool:
        return self.fidelity["passed"] is False

    @property
    def ports(self) -> dict[str, str]:
        """The later one's inputs and outputs -> the earlier one's."""
        found = {}
        for mine, theirs in ((self.after.inputs, self.before.inputs), (self.after.outputs, self.before.outputs)):
            back = {of_a: own for own, of_a in theirs.items()}
            found.update({own: back[of_a] for own, of_a in mine.items()})
        return found

    @property
    def turned(self) -> Hop:
        """With the later one as what the earlier one is held against: where a black box, or an original, is A."""
        return replace(self, before=self.after, after=self.before)

    @property
    def telling_samples(self) -> list[int]:
        """Their numbers, the one that shows the most first."""
        return telling_samples(self.fidelity)


def feed_all(session: Session, way: Sequence[Station], samples: str) -> list[Fed]:
    """Executes all. Raises UserError where two have other inputs or outputs, or where one cannot be executed."""
    first = way[0].contract
    fed = []
    stages: list[Stage] = []
    for number, station in enumerate(way):
        inputs = pairs(station.contract.inputs, first.inputs, "inputs")
        outputs = pairs(station.contract.outputs, first.outputs, "outputs")
        own, answers = samples, f"run:{number}"
        if call := brought(first.inputs, station.contract.inputs, {other: name for name, other in inputs.items()}):
            own = f"samples:{number}"
            stages.append(Stage(own, "data", call, {"data": samples}))
        if station.model is not None:
            session.executor.run(stages)  # what its parts are fed with, where it has some
            stages = [run_stage(session, station.model, answers, own)]
        else:
            stages.append(Stage(answers, "run", run_call(), {"ir": station.tree, "samples": own}))
        if call := brought(station.contract.outputs, first.outputs, outputs):
            stages.append(Stage(f"{answers}:named", "data", call, {"data": answers}))
            answers = f"{answers}:named"
        fed.append(Fed(station, inputs, outputs, own, answers))
    session.executor.run(stages)
    return fed


def brought(ports: Sequence[Port], to: Sequence[Port], names: Mapping[str, str]) -> Call | None:
    """Arrays of `ports` under the names and in the types of `to`; None where these are the same."""
    types = {port.name: port.dtype for port in to}
    if all(names[port.name] == port.name and types[port.name] == port.dtype for port in ports):
        return None
    return rename_call(names, {name: dtype for name, dtype in types.items() if dtype != "str"})


def hops(session: Session, fed: Sequence[Fed], precision: str | None) -> tuple[list[Hop], Hop]:
    """(from each to the next, from the first to the last). precision: as what they are judged; None: as the coarser of
    the two."""
    neighbours = [*pairwise(fed), (fed[0], fed[-1])]
    made = [_compared(session, f"fidelity:{number}", *pair, precision) for number, pair in enumerate(neighbours)]
    return made[:-1], made[-1]


def _compared(session: Session, name: str, before: Fed, after: Fed, precision: str | None) -> Hop:
    precision = precision or max((before.station.precision, after.station.precision), key=_coarseness)
    resolution = {before.outputs.get(own, own): each for own, each in before.station.resolution.items()}
    call = fidelity_call(precision, resolution)
    inputs = {"reference": before.answers, "candidate": after.answers}
    outcome = session.executor.run([Stage(name, "measure", call, inputs)])[name]
    return Hop(before, after, precision, outcome.value)


def _coarseness(precision: str) -> int:
    return _COARSE.index(precision.split("-")[0])
