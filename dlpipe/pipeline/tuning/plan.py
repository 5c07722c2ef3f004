"""Which artefacts of a run are tuned, for how long, and why others are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dlpipe.contracts.tuning import Tunable
from dlpipe.pipeline.artifacts import Built, Candidate
from dlpipe.report.schema import Note


def shares(wanted: Iterable[Candidate], seconds: float | None) -> Mapping[str, float]:
    """Candidate's id -> its seconds: those of a target share the time evenly. Empty without a budget."""
    if seconds is None:
        return {}
    mine = [each for each in wanted if isinstance(each.backend, Tunable) and why_not(each) is None]
    counts = {each.target.name: sum(other.target == each.target for other in mine) for each in mine}
    return {each.id: seconds / counts[each.target.name] for each in mine}


def why_not(candidate: Candidate) -> str | None:
    """Why its code is not searched for; None where it can be."""
    if not isinstance(candidate.backend, Tunable):
        return f"{candidate.backend.name} brings its kernels with it"
    refusals = candidate.backend.refusals(candidate.target, candidate.variant, {"operators": {}, "nodes": []})
    return refusals[0].reason if refusals else candidate.backend.why_not_tuned(candidate.target)


def tuning_notes(tried: Iterable[Built], seconds: float | None) -> list[Note]:
    """What came of `--tune`."""
    if seconds is None:
        return []
    tried = list(tried)
    notes = [
        Note(level="warning" if each.tuned.warns else "info", message=f"{each.candidate.path}: {each.tuned.says}")
        for each in tried
        if each.tuned is not None
    ]
    for target in dict.fromkeys(each.candidate.target.name for each in tried):
        mine = [each.candidate for each in tried if each.candidate.target.name == target]
        able = [each for each in mine if isinstance(each.backend, Tunable)]
        reasons = dict.fromkeys(reason for reason in map(why_not, able) if reason)
        notes += [Note(level="warning", message=f"{target} is not tuned: {reason}") for reason in reasons]
        if not able:
            names = ", ".join(dict.fromkeys(each.backend.name for each in mine))
            notes.append(Note(level="warning", message=f"{target}: nothing to tune: {names} bring their own kernels"))
    return notes
