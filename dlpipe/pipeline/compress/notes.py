"""What the reader of a compression's report has to know before believing its figures."""

from __future__ import annotations

from collections.abc import Mapping

from dlpipe.contracts.backend import Target
from dlpipe.contracts.measurement import Accuracy
from dlpipe.passes.recipes import Step
from dlpipe.passes.registry import pass_info
from dlpipe.pipeline.compress.ground import FINAL, Ground
from dlpipe.pipeline.compress.request import CompressRequest
from dlpipe.pipeline.compress.trial import base_figures
from dlpipe.pipeline.gates import samples_needed
from dlpipe.report import words
from dlpipe.report.compression import Chosen
from dlpipe.targets.registry import here

_HARDLY_ANY = 0.02
FEW = 500  # samples to train on, as passes/training says it too


def of_the_original(found: Accuracy | None, classes: int) -> list[str]:
    """Where it answers no better than guessing does, its data is not what it was trained for. classes: 0: unknown."""
    if found is None or found.metric != "top-1" or found.ci95 is None:
        return []
    guessed = classes > 1 and found.ci95[0] <= 1 / classes and found.value < 2 / classes
    if not guessed and found.value >= _HARDLY_ANY:
        return []
    among = f", hardly more than guessing among {classes} classes" if guessed else ""
    return [
        f"the original itself gets {100 * found.value:.1f} % right{among}: are these its labels, and its preprocessing?"
    ]


def of_the_ground(ground: Ground) -> list[str]:
    """Of the model as it came and of the data, before anything was tried."""
    notes = [f"the pass {name} was left out: {why}" for name, why in ground.dropped.items()]
    if ground.request.made_up:
        notes.append(
            "no data was given: candidates are calibrated, trained and judged on inputs made up from what batch norms "
            "hold of the training data, by what the original answers to them"
        )
    elif ground.request.data is None:
        notes.append("no data was given (--data): candidates are judged by their outputs on inputs that were made up")
    elif not ground.rank.labelled:
        notes.append("the data has no labels: accuracy is unknown, and candidates are judged by their outputs")
    notes += of_eight_bits(ground.request, here())
    few = ground.rank.trained_on
    if ground.request.data is not None and ground.rank.train is not None and few < FEW:
        notes.append(
            f"{few} samples are few to train on: what is gained may not hold for others; give more (--train-data)"
        )
    return notes + of_the_original(base_figures(ground, FINAL).accuracy, _classes(ground))


def of_eight_bits(request: CompressRequest, mine: Target | None) -> list[str]:
    """Recipes that nobody's kernels are named for: this machine's may overflow on what they make, which does not show
    in the accuracy, since that is computed as the model is written. mine: this machine."""
    if request.quantised_for is not None or mine is None:
        return []
    bits = mine.options.get("quantisation", {}).get("weights", "int8")
    names = [each.name for each in request.recipes if any(_overflows(step, bits) for step in each.steps)]
    if bits == "int8" or not names:
        return []
    what = f"{', '.join(names)}: no --target was named, so weights have all 8 bits; accuracy is of exact sums"
    return [f"{what}, and kernels of this machine may overflow (for it: -t {mine.name}, whose weights have 7)"]


def _overflows(step: Step, bits: str) -> bool:
    known = pass_info(step.name).defaults
    return "weights" in known and step.params.get("weights", known["weights"]) != bits


def _classes(ground: Ground) -> int:
    """As many as a model of one output scores."""
    outputs = ground.proven.imported.contract.outputs
    sizes = [dim for dim in outputs[0].shape[1:] if dim != 1] if len(outputs) == 1 else []
    return sizes[0] if len(sizes) == 1 and isinstance(sizes[0], int) else 0


def too_few(chosen: Chosen | None, limits: Mapping[str, float]) -> list[str]:
    """Where the samples cannot tell a drop of the limit from none."""
    found = chosen.figures.accuracy if chosen is not None else None
    limit = limits.get("max_accuracy_drop")
    if found is None or limit is None or not 0 < limit < 100:
        return []
    needed = samples_needed(found, limit)
    if needed is None or needed <= found.n:
        return []
    said = words.difference(limit, found.unit).removeprefix("+")
    return [f"a limit of {said} needs about {needed:,} samples to be told from none; these are {found.n:,}"]
