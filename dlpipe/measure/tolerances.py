"""How far outputs may be from the original's, by the precision a variant computes in, each with its reason.

`max_rel` limits the largest error relative to the range of the reference output. `min_cosine` limits the cosine of
all elements together. `min_agreement` is for integer outputs (class indices, say), which have no rounding error: the
share of elements that are equal.

An original that is quantised rounds inside: where a sum lies between two steps, the last bit of it decides, and another
order of summation decides otherwise. Its contract says in `metadata["resolution"]` how finely each output is resolved:
{"step": what one step is worth}, {"range": a share of the output's range} or {"agreement": a share of equal elements}.
An output within that passes; MOST_STEPS are allowed, since roundings of several layers add up. What goes beyond it is
judged by the limits above.

An original whose outputs the last bit of its inputs moves further than `max_rel` is held to what it moves them by, as a
step (`pipeline/unsteady.py`).

An output that is a sigmoid's, softmax's or tanh's is BOUNDED: runtimes compute these by polynomials that are good to a
float32 step of 1, so that values of 1e-5 carry three digits, whatever their own range is.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

BOUNDED = {"step": 2.0**-23}
MOST_STEPS = 3  # a wrong operator moves a quantised output by far more


@dataclass(frozen=True, slots=True)
class Tolerance:
    max_rel: float | None
    min_cosine: float | None
    min_agreement: float
    reason: str

    def params(self) -> dict[str, Any]:
        """As the worker's operation takes it."""
        return asdict(self)


TOLERANCES = {
    "fp32": Tolerance(
        max_rel=1e-4,
        min_cosine=None,
        min_agreement=1.0,
        reason="fp32 keeps 24 bits (6e-8 per operation): another order of summation moves an output by far less than "
        "1e-4 of its range, a wrong operator or weight by far more",
    ),
    "fp16": Tolerance(
        max_rel=5e-2,
        min_cosine=0.999,
        min_agreement=0.98,
        reason="fp16 keeps 11 bits (5e-4 per operation); dozens of layers add up to some 1e-2 of the range on the "
        "worst of many samples (seen: 1.3e-2 on a keyword net), while the direction holds (cosine >= 0.999)",
    ),
    "bf16": Tolerance(
        max_rel=5e-2,
        min_cosine=0.99,
        min_agreement=0.95,
        reason="bf16 keeps 8 bits (4e-3 per operation), which dozens of layers add up to within 5e-2 of the range",
    ),
    "int16": Tolerance(
        max_rel=5e-2,
        min_cosine=0.999,
        min_agreement=0.95,
        reason="16 bits of fixed point with 10 of a fraction: roundings of 1e-3 add up over the terms of a sum, to "
        "some 1e-2 of the range, while the direction holds; what wraps around its range is further off by far",
    ),
    "int8": Tolerance(
        max_rel=None,
        min_cosine=0.98,
        min_agreement=0.9,
        reason="int8 is lossy by design, so its largest error says little: the outputs' direction must hold "
        "(cosine >= 0.98), and the accuracy on labelled data decides what the loss costs",
    ),
    "int4": Tolerance(
        max_rel=None,
        min_cosine=0.95,
        min_agreement=0.8,
        reason="int4 is lossier than int8: the outputs' direction must hold (cosine >= 0.95), and the accuracy on "
        "labelled data decides what the loss costs",
    ),
    "retrained": Tolerance(
        max_rel=None,
        min_cosine=0.7,
        min_agreement=0.8,
        reason="weights were taken out or trained anew, so it is another net, as sure of its answers as the other or "
        "not: the outputs' direction must roughly hold (cosine >= 0.7), and the accuracy on labelled data decides",
    ),
}


def tolerance_of(variant: str) -> Tolerance:
    """The tolerance of "fp32", "int8", "int8-per-channel" ...: the precision is the name's first word.

    KeyError for a precision that is not in the table: a limit must not be guessed.
    """
    return TOLERANCES[variant.split("-")[0]]
