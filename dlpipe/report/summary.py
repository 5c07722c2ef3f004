"""What a report says in one line, and which of its figures are the ones to show first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Literal

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.report import words
from dlpipe.report.schema import Artifact, Gate, Measured, Report, Selected, Stage

# what the pipeline measures of artefacts (cli.md); any other figure of their cost comes from the backend's tool
_MEASURED = (
    "size", "latency_p50", "latency_p95", "latency_p99", "latency_cv", "throughput", "cold_start", "warm_start",
    "peak_memory", "load", "warm_load", "first_inference", "macs", "parameters", "energy", "intensity",
    "roofline",
)  # fmt: skip
_SHOWN = 3  # nodes that a part is told by
_NAMES = {"isa": "instruction sets"}

State = Literal["passed", "failed", "unverified"]


@dataclass(frozen=True, slots=True)
class Headline:
    """`lead`: the words before `what` it is about."""

    state: State
    lead: str
    what: str = ""

    @property
    def text(self) -> str:
        return f"{self.lead} {self.what}".strip()


def headline(report: Report) -> Headline:
    """`passed`: every target has a selected artefact that ran and agreed. `unverified`: one of these could not be
    checked. `failed`: a target is left without one, or a stage failed before there was any."""
    targets = list(dict.fromkeys(each.target for each in report.artifacts))
    missing = [target for target in targets if target not in report.selected]
    chosen = [each for each in (selected(report, target) for target in report.selected) if each is not None]
    if not targets:
        broken = [stage.id for stage in report.stages if stage.status == "failed"]
        broken += [gate.name for gate in report.gates if gate.passed is False]
        if broken:
            return Headline("failed", "Failed:", ", ".join(map(words.plain, broken)))
        return Headline("unverified", "No artefact was made")
    built = [
        each for each in report.artifacts if each.target in missing and each.verdict == "unverified" and each.digest
    ]
    unverified = dict.fromkeys(each.target for each in built)
    missing = [target for target in missing if target not in unverified]
    if unverified and not missing:
        return Headline("unverified", "Built but not verified for", ", ".join(map(words.plain, unverified)))
    if missing:
        return Headline("failed", "Nothing to ship for", ", ".join(map(words.plain, missing)))
    unsure = [each for each in chosen if each.verdict != "passed"]
    shown = "; ".join(f"{words.plain(each.target)}: {name(each)}" for each in chosen)
    if unsure:
        return Headline("unverified", "Chosen but not verified for", shown)
    return Headline("passed", "Ready for", shown)


def name(artifact: Artifact) -> str:
    others = dict.fromkeys(each.backend for each in artifact.parts if each.backend != artifact.backend)
    return words.plain(f"{' + '.join([artifact.backend, *others])} {artifact.variant}")


def parts(artifact: Artifact) -> str:
    """ "ncnn (12 nodes), onnxruntime (If_0)"; empty for an artefact that is one."""
    said = (
        f"{each.backend} ({', '.join(each.nodes) if len(each.nodes) <= _SHOWN else f'{len(each.nodes)} nodes'})"
        for each in artifact.parts
    )
    return words.plain(", then ".join(said))


def model(report: Report) -> str:
    """The base name of the user's model; its path may be long, and says little to others."""
    return words.plain(PurePath(report.source.path).name or report.source.path)


def took(report: Report) -> str | None:
    """How long the run took, and whether it computed anything."""
    if report.seconds is None:
        return None
    states = {stage.cache if stage.status == "ok" else stage.status for stage in report.stages} - {"skipped"}
    if states == {"hit"}:
        seconds = max(0.1, report.seconds)
        return f"answered from the cache in {f'{seconds:.1f} s' if seconds < 10 else words.duration(1000 * seconds)}"
    return f"took {words.duration(1000 * report.seconds)}"


def original(report: Report) -> Accuracy | None:
    """The accuracy of the model as it was given, where it ran on labelled data."""
    return next((stage.accuracy for stage in report.stages if stage.kind == "reference" and stage.accuracy), None)


def metric(report: Report) -> str | None:
    """What the labels are judged by; None where nothing is labelled."""
    blocks: tuple[Measured, ...] = (*report.stages, *report.artifacts)
    return next((words.plain(each.accuracy.metric) for each in blocks if each.accuracy is not None), None)


def loss(report: Report, short: str = "accuracy loss") -> str:
    """The title of a column with what was lost of it."""
    name = metric(report)
    return short if name in (None, "top-1") else f"{name} loss"


def agreement(report: Report) -> str | None:
    """Where nothing is labelled: how often the artefacts choose what the original chooses. None: it is labelled, or no
    output has anything to choose."""
    known = [
        f"{name(each)} {100 * each.fidelity.argmax_agreement:.1f} %"
        for each in report.artifacts
        if each.fidelity is not None and each.fidelity.argmax_agreement is not None
    ]
    if metric(report) is not None or not known:
        return None
    return f"With no labels to judge by, the largest score is the original's in: {', '.join(dict.fromkeys(known))}"


def runners_up(choice: Selected) -> str | None:
    """By how much the others lose: "openvino int8 takes 1.12 times as long, tvm fp32 3.4". None: there are none."""
    known = [each for each in choice.runners_up if each.times is not None]
    if not known:
        return None
    first, *others = [(f"{each.backend} {each.variant}", f"{each.times:.3g}") for each in known]
    what = "takes {} times as long" if choice.basis == "measured-latency" else "is {} times as large"
    return ", ".join([f"{first[0]} {what.format(first[1])}", *(f"{name} {times}" for name, times in others)])


def selected(report: Report, target: str) -> Artifact | None:
    """The artefact chosen for a target."""
    path = report.selected[target].path if target in report.selected else None
    return next((each for each in report.artifacts if each.path == path), None)


def listed(report: Report) -> list[Stage]:
    """The stages of a table: what was fed in and compared with, then what makes the models. A compilation shows as its
    artefact."""
    models = [stage for stage in report.stages if stage.kind != "compile"]
    return sorted(models, key=lambda stage: stage.kind not in ("data", "reference"))


def verdict(artifact: Artifact) -> str:
    """`ruled out` where pre-flight did not let it be tried: nothing was left unverified."""
    return "ruled out" if artifact.refusals and artifact.digest is None else artifact.verdict


def main_speedup(speedups: Iterable[Speedup]) -> Speedup | None:
    """Against the original where that is known, else against the reference runtime."""
    known = [each for each in speedups if each.value is not None]
    return next((each for each in known if each.baseline == "original"), known[0] if known else None)


def estimates(artifact: Artifact) -> dict[str, Figure]:
    """What the backend's tool says of the artefact beside what is measured of every one, by name for people."""
    return {_NAMES.get(key, key.replace("_", " ")): each for key, each in artifact.cost.items() if key not in _MEASURED}


def timed(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Those whose latency was measured."""
    known = ((each, each.cost.get("latency_p50")) for each in artifacts)
    return [each for each, latency in known if latency is not None and latency.value is not None]


def crowd(report: Report) -> float | None:
    """What other programs took of the CPUs while latency was measured, where that is worth a word."""
    taken = report.environment.taken_by_others if report.environment is not None else None
    share = taken.value if taken is not None else None
    return share if isinstance(share, float) and share >= words.BUSY else None


def gate(found: Gate) -> str:
    """Value and limit, where it has them, and why."""
    value = words.limit(found.value, found.unit) if found.value is not None else ""
    limit = f"limit {words.limit(found.limit, found.unit)}" if value else ""
    figures = ", ".join(filter(None, (value, limit)))
    return "; ".join(filter(None, (figures, words.plain(found.reason or ""))))


def baseline(found: Speedup) -> str:
    return "the original" if found.baseline == "original" else "ONNX Runtime on the imported model"
