"""Compare outputs with the reference's. Runs in the toolchain `core`: numpy only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dlpipe_worker import Request, operation

from ..arrays.npz import Member, members
from .compare import compare

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
    """The worst of all outputs; the verdict fails when one fails, and is open when one is open, there is none, or what
    the reference says to the samples is what a broken model may say too."""
    constants = {name: each.pop("constant", None) for name, each in outputs.items()}
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
    said = [f"{', '.join(names)}: {text}" for text, names in reasons.items()]
    samples = min((member.shape[0] for member in reference.values()), default=0)
    silent = bool(constants) and None not in constants.values()
    if silent and False not in verdicts:
        numbers = ", ".join(sorted({f"{number or 0:g}" for number in constants.values()}))
        said.insert(
            0,
            f"the reference is {numbers} in every place of all {samples} samples, as a broken model's outputs may be: "
            "that proves nothing; give data that it answers otherwise (--data)",
        )
    return {
        **worst,
        "samples": samples,
        "tolerance": limits.get("max_rel"),
        "min_cosine": limits.get("min_cosine"),
        "min_agreement": limits.get("min_agreement"),
        "tolerance_reason": limits.get("reason"),
        "passed": False if False in verdicts else None if silent or None in verdicts or not verdicts else True,
        "reason": "; ".join(said) or (None if outputs else "there are no outputs to compare"),
        "outputs": outputs,
    }
