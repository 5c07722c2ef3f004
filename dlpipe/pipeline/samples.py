"""What every version of the model is fed with, and what the original answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlpipe.data import subset_call
from dlpipe.errors import StageFailed, Unsupported, UserError
from dlpipe.ir.calls import golden_call
from dlpipe.measure import accuracy_call
from dlpipe.measure.tolerances import BOUNDED
from dlpipe.pipeline.feeding import from_data, generated, read_labels
from dlpipe.pipeline.imported import Imported
from dlpipe.pipeline.request import CALIBRATION_SAMPLES, EMULATED_SAMPLES, SEED, ConvertRequest
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

ReferenceKind = Literal["original", "independent", "own"]


@dataclass(frozen=True, slots=True)
class SampleSet:
    """Ids of the stages that hold the inputs, and the original's outputs for just these inputs.

    resolution: how finely the original resolves an output, where a rule speaks of it (`measure/tolerances.py`).
    """

    samples: str
    reference: str
    resolution: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


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
    kind: ReferenceKind = "original"  # who made the reference


def make_samples(
    session: Session, request: ConvertRequest, imported: Imported, meanwhile: Iterable[Stage] = ()
) -> Samples:
    """`meanwhile` are executed beside the original, which is often the longest of all."""
    executor = session.executor
    if request.reference is not None:
        executor.run(_golden(session, request.reference, imported))
    elif request.data:
        labels = read_labels(request.labels) if request.labels else ()
        executor.run(from_data(session, request.data, imported.contract, imported.ir, labels=labels))
    else:
        executor.run(generated(imported.ir, request.options.dims))
    value = executor.outcomes["samples"].value
    stages = [] if "reference" in executor.outcomes else [_reference(imported)]
    for name, limit in (("emulated", EMULATED_SAMPLES), ("calibration", CALIBRATION_SAMPLES), ("timing", 1)):
        stages.append(Stage(f"samples:{name}", "data", subset_call(limit, SEED), {"data": "samples"}))
    stages.append(Stage("reference:emulated", "data", subset_call(EMULATED_SAMPLES, SEED), {"data": "reference"}))
    if value["labelled"]:
        stages += [
            Stage(f"accuracy:{name}", "measure", accuracy_call(), {"candidate": name, "labels": samples})
            for name, samples in (("reference", "samples"), ("reference:emulated", "samples:emulated"))
        ]
    try:
        executor.run([*stages, *meanwhile])
    except StageFailed as error:
        _tell_guessed_dims(error, value.get("dims") or {})
        raise
    made = executor.outcomes["reference"].value or {}
    bounded = dict.fromkeys(imported.description.get("bounded", ()), BOUNDED)
    resolution = {**bounded, **imported.contract.metadata.get("resolution", {})}
    return Samples(
        full=SampleSet("samples", "reference", resolution),
        emulated=SampleSet("samples:emulated", "reference:emulated", resolution),
        calibration="samples:calibration",
        timing="samples:timing",
        labelled=bool(value["labelled"]),
        source=str(request.reference or request.data or "generated"),
        count=value["count"],
        names=tuple(value.get("names") or ()),
        kind=made.get("kind", "original"),
    )


def _tell_guessed_dims(error: StageFailed, dims: Mapping[str, int]) -> None:
    """An original that fails on sizes that were made up most often needs others, which only the user knows."""
    if error.where.get("stage") == "reference" and dims:
        guessed = ", ".join(f"{name}={size}" for name, size in dims.items())
        error.hint = (
            f"the file leaves sizes open, and dlpipe took {guessed}: give the right ones with --shape name=size"
        )


def _reference(imported: Imported) -> Stage:
    """What the original says to the samples. Raises Unsupported where nothing here can execute it."""
    call = imported.frontend.reference_call(imported.sniffed, imported.options)
    if call is None:
        raise Unsupported(
            f"nothing here can execute a model of {imported.sniffed.format}, so the import cannot be compared",
            hint="give inputs and outputs of the original: --reference io.npz",
        )
    inputs = {"source": f"tree:{imported.source.tree}", "imported": imported.ir, "samples": "samples"}
    return Stage("reference", "run", call, inputs)


def _golden(session: Session, file: Path, imported: Imported) -> list[Stage]:
    """The stages `samples` and `reference` from the user's own record: one folder holds both."""
    if not file.is_file():
        raise UserError(f"there is no {file}", hint="--reference is an .npz of the original's inputs and outputs")
    golden = f"tree:{session.store.ingest_files({'reference.npz': file}).digest}"
    inputs = {"imported": imported.ir, "golden": golden}
    return [Stage("samples", "data", golden_call(), inputs), Stage("reference", "run", golden_call(), inputs)]
