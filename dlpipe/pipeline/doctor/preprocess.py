"""`dlpipe doctor preprocess`: which way of feeding pictures do the labels point to?

The original itself is asked, in its own framework. Every candidate sees the same samples, and is held against what the
model is fed with now by a paired test. Many are tried, so that the best of them looks better than it is: p-values are
multiplied by their number (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlpipe.contracts.frontend import ImportOptions
from dlpipe.contracts.measurement import Accuracy
from dlpipe.data import picture_call, prepare_call, read_call
from dlpipe.errors import Unsupported, UserError
from dlpipe.ir.contract import Contract, PicturePreprocessing, PictureSteps, Port
from dlpipe.ir.picture import option, picture_inputs
from dlpipe.measure import Metric
from dlpipe.measure.metric import Truth
from dlpipe.pipeline.by_metric import accuracy_stage, settled
from dlpipe.pipeline.doctor.mistakes import Seen, Taken, shapes, values
from dlpipe.pipeline.imported import Imported, import_model
from dlpipe.pipeline.request import SEED
from dlpipe.pipeline.session import Session
from dlpipe.pipeline.stage import Stage

CURRENT = "what it is fed with now"
SURE = 0.05  # a p-value below it, once it is multiplied, tells a difference


@dataclass(frozen=True, slots=True)
class Tried:
    """`accuracy` is paired with what the model is fed with now; None: it could not be run, `reason` says why."""

    name: str
    steps: PictureSteps
    accuracy: Accuracy | None
    reason: str | None = None

    @property
    def option(self) -> str:
        return option(self.steps)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """`tried`: the best first, `current` among them. `p_value`: of the best against the current one, corrected for
    how many were tried. `points_elsewhere`: the labels tell that the current way is worse."""

    metric: str
    samples: int
    current: Tried
    tried: tuple[Tried, ...]
    p_value: float | None
    tool: str | None

    @property
    def best(self) -> Tried:
        return self.tried[0]

    @property
    def points_elsewhere(self) -> bool:
        return self.best is not self.current and self.p_value is not None and self.p_value < SURE

    def as_good(self) -> list[Tried]:
        """Others that do exactly as well as the best."""
        value = self.best.accuracy.value if self.best.accuracy else None
        return [each for each in self.tried[1:] if each.accuracy is not None and each.accuracy.value == value]


def diagnose(
    session: Session,
    spec: str,
    data: str,
    *,
    labels: Sequence[str] = (),
    metric: Metric | None = None,
    samples: int = 500,
    options: ImportOptions = ImportOptions(),
) -> Diagnosis:
    """Raises UserError where the data has no labels or is no pictures, Unsupported where the model takes none, or
    nothing here can run it."""
    imported = import_model(session, spec, options)
    ground = _Ground(session, imported, data, labels, metric, samples)
    start = ground.current.steps
    tried = ground.try_all(values(ground.seen, ground.taken, start))
    best = ground.ranked([ground.current, *tried])[0]
    tried += ground.try_all(shapes(ground.seen, ground.taken, best.steps))
    every = ground.ranked([ground.current, *(each for each in tried if each.steps != start)])
    p = every[0].accuracy.p_value if every[0].accuracy is not None else None
    return Diagnosis(
        metric=ground.metric.name,
        samples=ground.count,
        current=ground.current,
        tried=tuple(every),
        p_value=None if p is None or every[0] is ground.current else min(1.0, p * (len(every) - 1)),
        tool=ground.tool,
    )


class _Ground:
    """The data, read once, and what the model makes of it as it is fed now."""

    def __init__(
        self,
        session: Session,
        imported: Imported,
        data: str,
        labels: Sequence[str],
        metric: Metric | None,
        samples: int,
    ) -> None:
        self._session, self._imported = session, imported
        contract = imported.contract
        self._port = _picture_port(contract)
        self._labels = list(labels or contract.labels)
        self._samples = samples
        files, call = read_call(data, limit=samples, seed=SEED)
        tree = f"tree:{session.store.ingest_files(files).digest}"
        read = session.executor.run([Stage("data", "data", call, {"data": tree})])["data"].value
        if not read["labelled"]:
            raise UserError(f"{data} has no labels: nothing tells a right answer from a wrong one")
        self._number = 0
        self.tool: str | None = None
        steps = next((each.steps for each in contract.preprocessing if isinstance(each, PicturePreprocessing)), None)
        now = steps or PictureSteps()
        self.seen, self.count, truth = self._look(now, decoded=read["kind"] == "image")
        self.metric = settled(session, metric, truth)
        self.taken = Taken(*_taken(self._port))
        if now.colour is None and self.taken.channels == 3 and self.seen.channels >= 3:
            now = now.model_copy(update={"colour": "rgb"})  # as pictures are decoded
        self._reference: str | None = None
        self.current = self.try_all([(CURRENT, now)])[0]
        if self.current.accuracy is None:
            raise Unsupported(f"the model could not be judged as it is fed now: {self.current.reason}")

    def _look(self, steps: PictureSteps, *, decoded: bool) -> tuple[Seen, int, Truth]:
        outcomes = self._session.executor.run(self._feeding("look", steps))
        value, fed = outcomes["look:picture"].value, outcomes["look"].value
        if value["white"] is None:
            raise UserError("the data holds no pictures", hint="arrays of pictures are [N, height, width, channels]")
        seen = Seen(value["white"], value["sizes"], tuple(value["size"]), value["channels"], decoded)
        return seen, fed["count"], fed["truth"]

    def _feeding(self, name: str, steps: PictureSteps) -> list[Stage]:
        picture = picture_call(self._port.name, steps, always=True)
        prepare = prepare_call(self._samples, SEED, self._labels)
        made = f"{name}:picture"
        return [
            Stage(made, "data", picture, {"ir": self._imported.ir, "data": "data"}, required=name == "look"),
            Stage(name, "data", prepare, {"ir": self._imported.ir, "data": made}, required=name == "look"),
        ]

    def try_all(self, candidates: Iterable[tuple[str, PictureSteps]]) -> list[Tried]:
        """In the order given. The first of all is what the others are held against."""
        call = self._imported.frontend.reference_call(self._imported.sniffed, self._imported.options)
        if call is None:
            raise Unsupported(f"nothing here can execute a model of {self._imported.sniffed.format}")
        stages, names = list[Stage](), dict[str, tuple[str, PictureSteps]]()
        for said, steps in candidates:
            name = f"way{self._number}"
            self._number += 1
            names[name] = said, steps
            inputs = {"source": f"tree:{self._imported.source.tree}", "imported": self._imported.ir}
            stages += self._feeding(name, steps)
            stages.append(Stage(f"run:{name}", "run", call, {**inputs, "samples": name}, required=False))
            judged = {"candidate": f"run:{name}", "labels": name}
            if self._reference is not None:
                judged["reference"] = self._reference
            stages.append(accuracy_stage(f"accuracy:{name}", self.metric, judged, required=False))
        outcomes = self._session.executor.run(stages)
        if self._reference is None:
            self._reference = f"run:{next(iter(names))}"
            self.tool = (outcomes[self._reference].value or {}).get("tool")
        return [self._tried(outcomes, name, *each) for name, each in names.items()]

    def _tried(self, outcomes: Mapping[str, Any], name: str, said: str, steps: PictureSteps) -> Tried:
        outcome = outcomes[f"accuracy:{name}"]
        if outcome.status != "ok":
            return Tried(said, steps, None, outcome.reason)
        return Tried(said, steps, Accuracy.model_validate(outcome.value))

    def ranked(self, tried: list[Tried]) -> list[Tried]:
        """The best first; of equals, the one that was tried first. What could not be run comes last."""
        sign = 1 if self.metric.better == "lower" else -1

        def place(each: Tried) -> tuple[bool, float]:
            return (each.accuracy is None, sign * each.accuracy.value if each.accuracy is not None else 0.0)

        return sorted(tried, key=place)


def _picture_port(contract: Contract) -> Port:
    if any(part.kind != "picture" for part in contract.preprocessing):
        raise Unsupported("this model decodes its inputs itself: its preprocessing is a part of the graph")
    found = picture_inputs(contract)
    if len(found) != 1 or len(contract.inputs) != 1:
        shown = ", ".join(f"{port.name} {list(port.shape)}" for port in contract.inputs)
        raise Unsupported(f"doctor preprocess is for models with one input for pictures, and this one has {shown}")
    return found[0]


def _taken(port: Port) -> tuple[int, tuple[int, int] | None]:
    sample = port.shape[1:] if len(port.shape) == 4 else port.shape
    last = port.layout in ("NHWC", "HWC") if port.layout else sample[2] in (1, 3, 4) and sample[0] not in (1, 3)
    channels, (height, width) = (sample[2], sample[:2]) if last else (sample[0], sample[1:])
    fixed = isinstance(height, int) and isinstance(width, int)
    return int(channels), (int(height), int(width)) if fixed else None
