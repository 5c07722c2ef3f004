"""In a run: at which node an artefact begins to depart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from dlpipe.errors import BadModel, StageFailed, Unsupported
from dlpipe.pipeline.artifacts import Built
from dlpipe.pipeline.bisect.in_stages import departs
from dlpipe.pipeline.bisect.prefixes import locate
from dlpipe.pipeline.bisect.probes import Compiled
from dlpipe.pipeline.bisect.skeleton import skeleton
from dlpipe.pipeline.bisect.walking import sample_stage
from dlpipe.pipeline.bisect.words import compiled_sentence
from dlpipe.pipeline.samples import Samples
from dlpipe.pipeline.session import Session
from dlpipe.report.schema import DepartsAt

BUDGET = 60.0  # seconds of compiling and executing parts that a run spends on one artefact unasked


def of_artifacts(
    session: Session, samples: Samples, tried: Iterable[Built], stages: Mapping[str, DepartsAt]
) -> dict[str, DepartsAt]:
    """Id of a candidate -> where it begins, for artefacts that ran and departed. stages: what `of_stages` found."""
    outcomes = session.executor.outcomes
    return {
        each.candidate.id: stages[each.ir] if each.ir in stages else _compiled(session, samples, each)
        for each in tried
        if departs(outcomes, each.candidate.id)
    }


def _compiled(session: Session, samples: Samples, built: Built) -> DepartsAt:
    candidate, outcomes = built.candidate, session.executor.outcomes
    command = f"dlpipe bisect {session.id}:{built.ir} {session.id}:{candidate.id}"
    most = math.ceil(math.log2(max(outcomes[f"describe:{built.ir}"].value["node_count"], 2))) + 4
    records = (outcomes[each].record for each in (candidate.id, f"run:{candidate.id}"))
    seconds = sum(record.seconds for record in records if record is not None) * most
    if candidate.parts or seconds > BUDGET:
        why = "it is in parts" if candidate.parts else f"some {most} parts to compile may take {seconds:.0f} s"
        return DepartsAt(verdict="unknown", said=f"the node was not looked for ({why}): {command}", command=command)
    sample = sample_stage(
        candidate.id, outcomes[f"fidelity:{candidate.id}"].value, samples.of(candidate.target).samples
    )
    session.executor.run([sample])
    probe = Compiled(
        session,
        built.ir,
        candidate.backend,
        candidate.target,
        candidate.variant,
        candidate.judged_as,
        sample.id,
        candidate.calibrates,
    )
    try:
        located = locate(skeleton(session, built.ir, candidate.id), probe, most=most)
    except (BadModel, Unsupported, StageFailed) as error:  # the run has its result; this only tells more of it
        said = f"the node could not be found: {error.message}"
        return DepartsAt(verdict="unknown", said=said, command=command)
    if located is None:
        said = f"compiled again it agrees with the IR {built.ir} on the sample that is furthest off"
        return DepartsAt(verdict="unknown", said=said, command=command)
    first: dict[str, Any] = dict(located.nodes[-1]) if located.nodes else {"name": None, "op": None}
    return DepartsAt(
        verdict=located.verdict,
        node=first["name"],
        op=first["op"],
        said=compiled_sentence(located.as_dict()),
        command=command,
    )
