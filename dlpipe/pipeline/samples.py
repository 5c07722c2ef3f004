"""What every version of the model is fed with, and what the original answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dlpipe.contracts.backend import Target
from dlpipe.data import part_call, read_call, subset_call
from dlpipe.errors import StageFailed, Unsupported, UserError
from dlpipe.ir.calls import golden_call
from dlpipe.measure import TOP1, Metric
from dlpipe.measure.tolerances import BOUNDED
from dlpipe.pipeline.by_metric import accuracy_stage, settled
from dlpipe.pipeline.feeding import affordable, from_data, generated, read_labels
from dlpipe.pipeline.imported import Imported
from dlpipe.pipeline.request import (
    CALIBRATION_SAMPLES,
    EMULATED_SAMPLES,
    SEED,
    TRAINING_SAMPLES,
    TRAINING_SHARE,
    ConvertRequest,
)
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage
from dlpipe.report.words import several

ReferenceKind = Literal["original", "independent", "own"]
NO_LABELS = "no labelled data was given (--data): accuracy is unknown"


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
    """`full` is used where the host itself runs the model, `emulated` (a subset) under an emulator. `train` shares no
    sample with them, unless the user gave the same data twice; None: nothing is trained in this run."""

    full: SampleSet
    emulated: SampleSet
    calibration: str
    timing: str
    labelled: bool
    source: str
    count: int
    names: tuple[str, ...]
    kind: ReferenceKind = "original"  # who made the reference
    truth: str = "class"  # what a label is (`data/readers/labels.py`)
    train: str | None = None
    trained_on: int = 0
    train_source: str | None = None
    metric: Metric = TOP1  # by which labelled samples are judged
    unknown: str = NO_LABELS  # why accuracy is unknown, where they are not labelled
    assumed: Mapping[str, int] = field(default_factory=dict)  # free dims that nobody fixed, and what they are in them
    # Output -> by which share of its range roundings move the original's own (`pipeline/unsteady.py`).
    unsteady: Mapping[str, float] = field(default_factory=dict)

    def of(self, target: Target) -> SampleSet:
        """What an artefact for it is run on."""
        return self.full if target.runner in ("native", "device") else self.emulated

    @property
    def told_apart(self) -> str:
        """What was trained on and what was measured on."""
        if self.train is None:
            return f"measured on {several(self.count, 'sample')}, calibrated on some of them"
        where = f"of {self.train_source}" if self.train_source else "of the same data, which measuring never saw"
        return f"measured on {self.count:,} samples; trained and calibrated on {self.trained_on:,} {where}"


def refuse_missing(request: ConvertRequest) -> None:
    """What is named beside the model has to be there: told before the import. Raises UserError, Unsupported."""
    if request.train_data is not None and (request.data is None or request.reference is not None):
        raise UserError("--train-data goes with --data", hint="what is trained on one is measured on the other")
    for data in (request.data, request.train_data):
        if data is not None:
            read_call(data)
    if request.labels is not None:
        read_labels(request.labels)
    if request.reference is not None and not request.reference.is_file():
        hint = "--reference is an .npz of the original's inputs and outputs"
        raise UserError(f"there is no {request.reference}", hint=hint)


def make_samples(
    session: Session, request: ConvertRequest, imported: Imported, meanwhile: Iterable[Stage] = ()
) -> Samples:
    """`meanwhile` are executed beside the original, which is often the longest of all."""
    executor = session.executor
    fixed: dict[str, int] = {}
    if request.reference is not None:
        executor.run(_golden(session, request.reference, imported))
    elif request.data:
        _read(session, request, imported)
    else:
        fixed = {**request.options.dims, **imported.contract.sizes_of(request.sample_dims)}
        executor.run(generated(imported.ir, fixed))
    value = executor.outcomes["samples"].value
    train = "samples:train" if "samples:train" in executor.outcomes else None
    stages = [] if "reference" in executor.outcomes else [_reference(imported)]
    for name, limit, source in (
        ("emulated", EMULATED_SAMPLES, "samples"),
        ("calibration", CALIBRATION_SAMPLES, train or "samples"),
        ("timing", 1, "samples"),
    ):
        stages.append(Stage(f"samples:{name}", "data", subset_call(limit, SEED), {"data": source}))
    stages.append(Stage("reference:emulated", "data", subset_call(EMULATED_SAMPLES, SEED), {"data": "reference"}))
    truth = value.get("truth", "class")
    metric = settled(session, request.metric, truth)
    if value["labelled"]:
        # Numbers that come with the data may be other ones than what the model answers, unless the user says so.
        meant = request.metric is not None or truth == "class"
        stages += [
            accuracy_stage(f"accuracy:{name}", metric, {"candidate": name, "labels": samples}, required=meant)
            for name, samples in (("reference", "samples"), ("reference:emulated", "samples:emulated"))
        ]
    try:
        executor.run([*stages, *meanwhile])
    except StageFailed as error:
        _tell_guessed_dims(error, value.get("dims") or {})
        raise
    judged = executor.outcomes.get("accuracy:reference")
    unfit = judged.reason if judged is not None and judged.status != "ok" else None
    made = executor.outcomes["reference"].value or {}
    bounded = dict.fromkeys(imported.description.get("bounded", ()), BOUNDED)
    resolution = {**bounded, **imported.contract.metadata.get("resolution", {})}
    return Samples(
        full=SampleSet("samples", "reference", resolution),
        emulated=SampleSet("samples:emulated", "reference:emulated", resolution),
        calibration="samples:calibration",
        timing="samples:timing",
        labelled=bool(value["labelled"]) and unfit is None,
        source=str(request.reference or request.data or "generated"),
        count=value["count"],
        names=tuple(map(str, value.get("names") or ())),
        kind=made.get("kind", "original"),
        truth=truth,
        train=train,
        trained_on=executor.outcomes[train].value["count"] if train else 0,
        train_source=request.train_data,
        metric=metric,
        assumed={dim: size for dim, size in (value.get("dims") or {}).items() if dim not in fixed and size > 1},
        unknown=f"the labels do not suit {metric.name}, accuracy is unknown: {unfit}" if unfit else NO_LABELS,
    )


def _read(session: Session, request: ConvertRequest, imported: Imported) -> None:
    """Executes `samples`, and `samples:train` where the request trains or brings data for it."""
    assert request.data is not None
    executor, contract = session.executor, imported.contract
    labels = read_labels(request.labels) if request.labels else ()
    limit = affordable(contract, request.measured)
    if request.train_data is not None:
        many = affordable(contract, TRAINING_SAMPLES)
        executor.run(
            [
                *from_data(session, request.data, contract, imported.ir, labels=labels, limit=limit),
                *from_data(
                    session, request.train_data, contract, imported.ir, labels=labels, name="samples:train", limit=many
                ),
            ]
        )
    elif request.trains():
        many = affordable(contract, TRAINING_SAMPLES)
        whole = {"data": "samples:all"}
        kept = 1 - TRAINING_SHARE
        executor.run(
            [
                *from_data(session, request.data, contract, imported.ir, labels=labels, name="samples:all", limit=many),
                Stage("samples", "data", part_call(0.0, kept, SEED, limit), whole),
                Stage("samples:train", "data", part_call(kept, 1.0, SEED), whole),
            ]
        )
    else:
        executor.run(from_data(session, request.data, contract, imported.ir, labels=labels, limit=limit))


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
    golden = f"tree:{session.store.ingest_files({'reference.npz': file}).digest}"
    inputs = {"imported": imported.ir, "golden": golden}
    return [Stage("samples", "data", golden_call(), inputs), Stage("reference", "run", golden_call(), inputs)]
