"""Compare outputs with the reference's, and judge them on labelled data. Runs in the toolchain `core`: numpy only."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused, Request, operation

from . import statistics
from .compare import compare
from .npz import Member, members

_WORST = {"max_abs": max, "max_rel": max, "cosine": min, "sqnr_db": min, "argmax_agreement": min}


@operation
def fidelity(request: Request) -> dict[str, Any]:
    """Inputs `reference` and `candidate`: folders with `outputs.npz`. Params: the limits (`Tolerance.params`),
    resolution.

    Returns contracts/measurement.py's Fidelity without `vs`.
    """
    reference = members(Path(request.inputs["reference"]) / "outputs.npz")
    candidate = members(Path(request.inputs["candidate"]) / "outputs.npz")
    limits = request.params
    outputs: dict[str, dict[str, Any]] = {}
    for done, name in enumerate(sorted(reference.keys() | candidate.keys())):
        request.progress(f"comparing {name}", done / len(reference.keys() | candidate.keys()))
        if name not in candidate:
            outputs[name] = {"passed": False, "reason": "the candidate does not have this output"}
        elif name not in reference:
            outputs[name] = {"passed": False, "reason": "the reference does not have this output"}
        else:
            resolution = limits.get("resolution", {}).get(name)
            outputs[name] = compare(reference[name], candidate[name], limits, resolution)
    return _overall(outputs, reference, limits)


def _overall(
    outputs: dict[str, dict[str, Any]], reference: dict[str, Member], limits: dict[str, Any]
) -> dict[str, Any]:
    """The worst of all outputs; the verdict fails when one fails, and is open when one is open or there is none."""
    verdicts = [each["passed"] for each in outputs.values()]
    worst: dict[str, Any] = {}
    for figure, choose in _WORST.items():
        values = [each[figure] for each in outputs.values() if each.get(figure) is not None]
        worst[figure] = choose(values) if values else None
    # One line for all outputs that say the same, in the order of the outputs, failed ones first.
    reasons: dict[str, list[str]] = {}
    for name, each in sorted(outputs.items(), key=lambda item: item[1]["passed"] is not False):
        if each["reason"]:
            reasons.setdefault(each["reason"], []).append(name)
    return {
        **worst,
        "samples": min((member.shape[0] for member in reference.values()), default=0),
        "tolerance": limits.get("max_rel"),
        "min_cosine": limits.get("min_cosine"),
        "min_agreement": limits.get("min_agreement"),
        "tolerance_reason": limits.get("reason"),
        "passed": False if False in verdicts else True if verdicts and None not in verdicts else None,
        "reason": "; ".join(f"{', '.join(names)}: {text}" for text, names in reasons.items())
        or (None if outputs else "there are no outputs to compare"),
        "outputs": outputs,
    }


@operation
def accuracy(request: Request) -> dict[str, Any]:
    """Top-1 on labelled samples. Inputs: `candidate` (outputs.npz), `labels` (labels.json), and `reference`
    (the original's outputs.npz on the same samples) where a comparison is wanted.

    Params: `output`: which output holds the classes; by default the only one, else the first by name.
    Returns contracts/measurement.py's Accuracy. Raises Refused when outputs and labels do not fit together.
    """
    labels = json.loads((Path(request.inputs["labels"]) / "labels.json").read_text(encoding="utf-8"))["labels"]
    right = _right(Path(request.inputs["candidate"]) / "outputs.npz", labels, request.params.get("output"))
    n = len(right)
    value = {
        "metric": "top-1",
        "value": float(right.mean()),
        "ci95": statistics.wilson(int(right.sum()), n),
        "n": n,
        "correct_digest": hashlib.sha256(right.astype(np.uint8).tobytes()).hexdigest(),
        "provenance": "measured",
    }
    if "reference" not in request.inputs:
        return {**value, "reason": "this is the original itself, or there are no outputs of it to compare with"}
    original = _right(Path(request.inputs["reference"]) / "outputs.npz", labels, request.params.get("output"))
    only_original, only_this = int((original & ~right).sum()), int((right & ~original).sum())
    interval = statistics.paired_difference(only_original, only_this, n)
    return {
        **value,
        "drop": 100 * (only_original - only_this) / n,
        "drop_ci95": [100 * end for end in interval],
        "p_value": statistics.mcnemar(only_original, only_this),
        "only_original_right": only_original,
        "only_this_right": only_this,
    }


def _right(file: Path, labels: list[int | None], output: str | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether each labelled sample is classified right, in sample order. A NaN among the scores is wrong."""
    found = members(file)
    name = output or min(found, default="")
    if name not in found:
        raise Refused(f"{file.name} has no output {name!r}", hint=f"it has: {', '.join(sorted(found))}")
    member = found[name]
    if member.shape[0] != len(labels):
        raise Refused(f"{len(labels)} labels, but {member.shape[0]} samples in {name}")
    classes = [dim for dim in member.shape[1:] if dim != 1]
    if len(classes) > 1 or (not classes and member.dtype.kind == "f"):
        raise Refused(f"{name} has the shape {list(member.shape)}: not one score per class for each sample")
    right: list[bool] = []
    rows = member.rows_per_chunk()
    for number, chunk in enumerate(member.chunks(rows)):
        scores = chunk.reshape(len(chunk), -1)
        broken = [not np.isfinite(row).all() for row in scores]  # argmax would choose the NaN
        # One integer per sample is the class itself.
        chosen = (scores.argmax(axis=1) if classes else scores[:, 0]).tolist()
        batch = labels[number * rows : number * rows + len(chunk)]
        right += [
            not bad and bool(guess == label)
            for bad, guess, label in zip(broken, chosen, batch, strict=True)
            if label is not None
        ]
    if not right:
        raise Refused("no sample has a label")
    return np.array(right, dtype=np.bool_)
