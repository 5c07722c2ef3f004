"""An artefact in parts: which of them departs, fed with what the graph has there."""

from __future__ import annotations

from collections.abc import Collection

from dlpipe.measure import fidelity_call
from dlpipe.pipeline.bisect.probes import Part, part_of
from dlpipe.pipeline.runnable import Runnable, load
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


def departing_part(
    session: Session, model: Runnable, *, ir: str, own: Collection[str], sample: str, precision: str
) -> tuple[Runnable, Part] | None:
    """The first that departs, and the same part of the graph `ir`; None where none does by itself.

    own: names of the graph's inputs. sample: id of the stage that holds what it is fed with.
    """
    for number, (link, folder) in enumerate(zip(model.chain, model.folders, strict=True)):
        part, name = load(session, str(folder), f"part{number}"), f"whole:{number}"
        given = [each for each in link.inputs if each not in own]
        piece = part_of(name, ir, sample, given, [port.name for port in part.contract.outputs])
        assert part.run is not None  # it has run before
        fed = {**part.inputs, "samples": piece.samples}
        both = {"reference": piece.answers, "candidate": f"{name}:run"}
        stages = [
            *piece.stages,
            Stage(f"{name}:run", "run", part.run, fed, required=False),
            Stage(f"{name}:fidelity", "measure", fidelity_call(precision), both, required=False),
        ]
        outcome = session.executor.run(stages)[f"{name}:fidelity"]
        if outcome.status == "ok" and outcome.value["passed"] is False:
            return part, piece
    return None
