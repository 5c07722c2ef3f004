"""Data for a model that there are none of: samples made up from what its batch norms hold, in parts that share none."""

from __future__ import annotations

from dataclasses import replace

from dlpipe.data import part_call, subset_call
from dlpipe.errors import Unsupported
from dlpipe.passes.registry import made_up_data_call
from dlpipe.pipeline.proven import Proven
from dlpipe.pipeline.request import CALIBRATION_SAMPLES, SEED, ConvertRequest
from dlpipe.pipeline.samples import Samples, SampleSet
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.report.compression import Part

SOURCE = "made up from batch norms"
_TRAIN_SHARE = 0.5  # to calibrate and to learn on; by the rest candidates are judged


def made_up(session: Session, request: ConvertRequest, proven: Proven, count: int) -> tuple[Samples, tuple[Part, ...]]:
    """(the samples, what each part of them is for): to train and calibrate on, and, apart from those, to judge by what
    the original answers. They have no labels: a student learns the original's answers.

    Raises Unsupported for a model that has no batch norms, or whose importer has folded them.
    """
    imported, executor = proven.imported, session.executor
    call = imported.frontend.reference_call(imported.sniffed, imported.options)
    if call is None:
        raise Unsupported(f"nothing here can execute a model of {imported.sniffed.format}: --made-up-data needs that")
    make = made_up_data_call(count, batch=min(count, 64), dims=dict(request.options.dims))
    inputs = {"source": f"tree:{imported.source.tree}", "imported": imported.ir, "samples": "samples:judged"}
    executor.run(
        [
            Stage("samples:made-up", "data", make, {"ir": imported.ir}),
            Stage("samples:learnt", "data", part_call(0.0, _TRAIN_SHARE, SEED), {"data": "samples:made-up"}),
            Stage("samples:judged", "data", part_call(_TRAIN_SHARE, 1.0, SEED), {"data": "samples:made-up"}),
            Stage("calibration", "data", subset_call(CALIBRATION_SAMPLES, SEED), {"data": "samples:learnt"}),
            Stage("reference:judged", "run", call, inputs),
        ]
    )
    counts = {name: executor.outcomes[name].value["count"] for name in ("samples:learnt", "samples:judged")}
    samples = replace(
        proven.samples,
        full=SampleSet("samples:judged", "reference:judged", proven.samples.full.resolution),
        calibration="calibration",
        train="samples:learnt",
        trained_on=counts["samples:learnt"],
        source=SOURCE,
        count=counts["samples:judged"],
    )
    learnt, judged = counts["samples:learnt"], counts["samples:judged"]
    return samples, (
        Part(use="train", count=learnt, source=SOURCE),
        Part(use="rank", count=judged, source=SOURCE),
        Part(use="final", count=judged, source=SOURCE),
    )
