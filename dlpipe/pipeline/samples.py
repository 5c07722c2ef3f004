"""What every version of the model is fed with, and what the original answers."""

from __future__ import annotations

from dataclasses import dataclass

from dlpipe.data import subset_call
from dlpipe.errors import Unsupported
from dlpipe.measure import accuracy_call
from dlpipe.pipeline.feeding import from_data, generated, read_labels
from dlpipe.pipeline.imported import Imported
from dlpipe.pipeline.request import CALIBRATION_SAMPLES, EMULATED_SAMPLES, SEED, ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Ids of the stages that hold the inputs, and the original's outputs for just these inputs."""

    samples: str
    reference: str


@dataclass(frozen=True, slots=True)
class Samples:
    """`full` is used where the host itself runs the model, `emulated` (a subset) under an emulator."""

    full: SampleSet
    emulated: SampleSet
    calibration: str
    timing: str
    labelled: bool
    source: str
    count: int
    names: tuple[str, ...]


def make_samples(session: Session, request: ConvertRequest, imported: Imported) -> Samples:
    executor = session.executor
    if request.data:
        labels = read_labels(request.labels) if request.labels else ()
        executor.run(from_data(session, request.data, imported.contract, imported.ir, labels=labels))
    else:
        executor.run(generated(imported.ir, request.options.dims))
    value = executor.outcomes["samples"].value
    reference = imported.frontend.reference_call(imported.sniffed, imported.options)
    if reference is None:
        raise Unsupported(f"the {imported.frontend.name} frontend cannot run the original here")
    source = f"tree:{imported.source.tree}"
    stages = [Stage("reference", "run", reference, {"source": source, "imported": "import", "samples": "samples"})]
    for name, limit in (("emulated", EMULATED_SAMPLES), ("calibration", CALIBRATION_SAMPLES), ("timing", 1)):
        stages.append(Stage(f"samples:{name}", "data", subset_call(limit, SEED), {"data": "samples"}))
    stages.append(Stage("reference:emulated", "data", subset_call(EMULATED_SAMPLES, SEED), {"data": "reference"}))
    if value["labelled"]:
        stages += [
            Stage(f"accuracy:{name}", "measure", accuracy_call(), {"candidate": name, "labels": samples})
            for name, samples in (("reference", "samples"), ("reference:emulated", "samples:emulated"))
        ]
    executor.run(stages)
    return Samples(
        full=SampleSet("samples", "reference"),
        emulated=SampleSet("samples:emulated", "reference:emulated"),
        calibration="samples:calibration",
        timing="samples:timing",
        labelled=bool(value["labelled"]),
        source=request.data or "generated",
        count=value["count"],
        names=tuple(value.get("names") or ()),
    )
