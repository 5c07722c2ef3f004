"""What every candidate stands on: the proven and optimised model, and the data in parts that share no sample."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dlpipe.data import part_call, subset_call
from dlpipe.pipeline.checks import check_ir
from dlpipe.pipeline.compress.made_up import made_up
from dlpipe.pipeline.compress.request import MEASURED, CompressRequest
from dlpipe.pipeline.optimise import optimise, pass_chain
from dlpipe.pipeline.proven import Proven, prove_import
from dlpipe.pipeline.request import CALIBRATION_SAMPLES, SEED, ConvertRequest
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.report.compression import Part

RANKED, FINAL = "@rank", "@final"
_SEARCH_SHARE = 0.5  # of the data, to choose by
_CALIBRATION_SHARE = 0.2  # where nothing is to be chosen


@dataclass(frozen=True, slots=True)
class Ground:
    """`ir`: the stage that holds the optimised model. Candidates are chosen by what they do on `rank`, and what is said
    of the chosen one is measured on `final`; the same samples only where no data was given."""

    session: Session
    request: CompressRequest
    proven: Proven
    ir: str
    rank: Samples
    final: Samples
    parts: tuple[Part, ...]
    dropped: dict[str, str]

    def tree(self, stage: str) -> str:
        return self.session.executor.outcomes[stage].output


def prepare(session: Session, request: CompressRequest) -> Ground:
    """Raises what the import raises, and GateFailed where it departs from the original."""
    wanted = ConvertRequest(
        model=request.model,
        targets=(),
        recipes=request.recipes,
        data=request.data,
        train_data=request.train_data,
        labels=request.labels,
        metric=request.metric,
        options=request.options,
        measured=MEASURED,
    )
    proven = prove_import(session, wanted, pass_chain("import"))
    optimised = optimise(session, proven.samples, start=proven.imported.ir)
    if request.made_up:
        rank, parts = made_up(session, wanted, proven, request.made_up)
        final = rank
    else:
        rank, final, parts = _divide(session, request, proven.samples)
    session.executor.run(
        [
            *check_ir(optimised.ir, "fp32", rank, at=RANKED),
            *check_ir(optimised.ir, "fp32", final, at=FINAL),
        ]
    )
    return Ground(session, request, proven, optimised.ir, rank, final, parts, optimised.dropped)


def _divide(session: Session, request: CompressRequest, whole: Samples) -> tuple[Samples, Samples, tuple[Part, ...]]:
    trained = (Part(use="train", count=whole.trained_on, source=request.train_data or whole.source),)
    if request.data is None:
        everything = tuple(Part(use=use, count=whole.count, source=whole.source) for use in ("rank", "final"))
        return whole, whole, everything
    executor = session.executor
    one = len(request.recipes) == 1  # then nothing is chosen
    if one and whole.train is not None:
        return whole, whole, (*trained, Part(use="final", count=whole.count, source=whole.source))
    share = _CALIBRATION_SHARE if one else _SEARCH_SHARE
    parts = {"rank": part_call(0.0, share, SEED), "final": part_call(share, 1.0, SEED)}
    executor.run(
        Stage(f"{kind}:{use}", "data", call, {"data": kind})
        for use, call in parts.items()
        for kind in ("samples", "reference")
    )
    calibration = whole.calibration
    if whole.train is None:
        calibration = "calibration:rank"
        executor.run([Stage(calibration, "data", subset_call(CALIBRATION_SAMPLES, SEED), {"data": "samples:rank"})])
    made = {
        use: replace(
            whole,
            full=SampleSet(f"samples:{use}", f"reference:{use}", whole.full.resolution),
            calibration=calibration,
            count=executor.outcomes[f"samples:{use}"].value["count"],
        )
        for use in parts
    }
    said = tuple(Part(use=use, count=made[use].count, source=whole.source) for use in ("rank", "final"))
    return made["rank"], made["final"], (*(trained if whole.train else ()), *said)
