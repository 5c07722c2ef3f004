"""How near one output is to the reference's: a single pass over both, in pieces. Worker side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.npz import Array, Member
from .tolerances import MOST_STEPS


@dataclass
class Tally:
    """Running sums over the samples seen. All in float64; elements that are not finite on both sides are left out."""

    low: float = math.inf
    high: float = -math.inf
    max_abs: float = 0.0
    worst_sample: int | None = None
    dot: float = 0.0
    square_reference: float = 0.0
    square_candidate: float = 0.0
    square_error: float = 0.0
    cosine_min: float = math.inf
    places: int = 0
    agreeing: int = 0
    compared: int = 0
    left_out: int = 0
    nan: int = 0
    nan_lost: int = 0
    inf: int = 0
    texts: bool = False
    seen: int = field(default=0)

    def add(self, reference: Array, candidate: Array) -> None:
        """A piece of both: the same shape [n, ...] and dtype."""
        self._agreement(reference, candidate)
        a = reference.reshape(len(reference), -1).astype(np.float64)
        b = candidate.reshape(len(candidate), -1).astype(np.float64)
        finite = np.isfinite(a) & np.isfinite(b)
        self.nan += int((np.isnan(b) & ~np.isnan(a)).sum())
        self.nan_lost += int((np.isnan(a) & ~np.isnan(b)).sum())
        infinite = (np.isinf(a) | np.isinf(b)) & ~np.isnan(a) & ~np.isnan(b)
        self.inf += int((infinite & (a != b)).sum())
        self.compared += int(finite.sum())
        self.left_out += int((~finite).sum())
        if finite.any():
            self.low = min(self.low, float(a[finite].min()))
            self.high = max(self.high, float(a[finite].max()))
            self._errors(np.where(finite, a, 0.0), np.where(finite, b, 0.0))
        self.seen += len(a)

    def add_texts(self, reference: Array, candidate: Array) -> None:
        """A piece of both: texts, which are the same or not."""
        self.texts = True
        self.places += reference.size
        self.agreeing += int((reference == candidate).sum())

    def _errors(self, a: NDArray[np.float64], b: NDArray[np.float64]) -> None:
        error = np.abs(a - b).max(axis=1)
        worst = int(error.argmax())
        if self.worst_sample is None or error[worst] > self.max_abs:
            self.max_abs, self.worst_sample = float(error[worst]), self.seen + worst
        dot, aa, bb = (a * b).sum(axis=1), (a * a).sum(axis=1), (b * b).sum(axis=1)
        cosines = [cosine(float(x), float(y), float(z)) for x, y, z in zip(dot, aa, bb, strict=True)]
        self.cosine_min = min(self.cosine_min, *cosines)
        self.dot += float(dot.sum())
        self.square_reference += float(aa.sum())
        self.square_candidate += float(bb.sum())
        self.square_error += float(((a - b) ** 2).sum())

    def _agreement(self, reference: Array, candidate: Array) -> None:
        if reference.dtype.kind in "iub":
            self.places += reference.size
            self.agreeing += int((reference == candidate).sum())
        elif reference.ndim > 1 and reference.shape[-1] > 1 and reference.size:
            chosen = candidate.argmax(axis=-1)[..., None]
            # A tie in the reference may be broken either way; a tie in the candidate is broken as argmax does.
            agree = np.take_along_axis(reference, chosen, axis=-1)[..., 0] == reference.max(axis=-1)
            self.places += agree.size
            self.agreeing += int(agree.sum())

    def constant(self) -> float | None:
        """The one number that the reference is in every place of every sample; None where it is not, or is but one
        number that is not 0."""
        return self.high if self.low == self.high and (self.high == 0 or self.compared > 1) else None

    def scale(self) -> float:
        """The reference's range; of a constant output its magnitude; of an all-zero output 1."""
        return (self.high - self.low) or abs(self.high) or 1.0


def cosine(dot: float, square_a: float, square_b: float) -> float:
    """Cosine of two vectors from their inner products: two zero vectors are equal (1), one alone is not (0)."""
    if square_a == 0 or square_b == 0:
        return 1.0 if square_a == square_b else 0.0
    return max(-1.0, min(1.0, dot / (math.sqrt(square_a) * math.sqrt(square_b))))


def compare(
    reference: Member, candidate: Member, limits: dict[str, Any], resolution: dict[str, float] | None = None
) -> dict[str, Any]:
    """One entry of `fidelity["outputs"]` (contracts/measurement.py, OutputFidelity), and `constant`: see `Tally`, of
    floats."""
    texts = reference.dtype.kind == candidate.dtype.kind == "U"  # as wide as the longest
    for what in ("shape",) if texts else ("shape", "dtype"):
        ours, theirs = getattr(candidate, what), getattr(reference, what)
        if ours != theirs:
            return {"passed": False, "reason": f"{what} is {_say(ours)}, the reference's is {_say(theirs)}"}
    tally = Tally()
    rows = reference.rows_per_chunk()
    with np.errstate(all="ignore"):  # what overflows shows in the figures, and is reported there
        for a, b in zip(reference.chunks(rows), candidate.chunks(rows), strict=True):
            (tally.add_texts if texts else tally.add)(a, b)
    found = _judged(tally, reference.dtype.kind in "iubU", limits, resolution or {})
    return {**found, "constant": tally.constant() if reference.dtype.kind == "f" else None}


def judge(
    reference: Sequence[Array], candidate: Sequence[Array], limits: Mapping[str, Any], resolution: Any = None
) -> dict[str, Any]:
    """The same for arrays in memory, one of each for every sample. Types may differ in width."""
    tally = Tally()
    if reference[0].dtype.kind in "OUS":
        agree = all(np.array_equal(a, b) for a, b in zip(reference, candidate, strict=True))
        return {"passed": agree, "reason": None if agree else "texts differ"}
    with np.errstate(all="ignore"):
        for a, b in zip(reference, candidate, strict=True):
            tally.add(a[None], b[None])
    return _judged(tally, reference[0].dtype.kind in "iub", limits, resolution or {})


def _say(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)


def _judged(tally: Tally, integer: bool, limits: Mapping[str, Any], resolution: dict[str, float]) -> dict[str, Any]:
    figures: dict[str, Any] = {"nan": tally.nan, "inf": tally.inf}
    if tally.places:
        figures["argmax_agreement"] = tally.agreeing / tally.places
    reasons = []
    if tally.compared:
        figures |= {
            "max_abs": tally.max_abs,
            "max_rel": tally.max_abs / tally.scale(),
            "scale": tally.scale(),
            "cosine": cosine(tally.dot, tally.square_reference, tally.square_candidate),
            "cosine_min": tally.cosine_min,
            "worst_sample": tally.worst_sample,
        }
        sqnr, why = _sqnr(tally)
        figures["sqnr_db"] = sqnr
        reasons += [why] if why else []
        for name in ("max_abs", "max_rel", "scale", "cosine", "cosine_min"):
            if not math.isfinite(figures[name]):
                figures[name] = None
                reasons.append(f"{name} overflows")
    broken = _broken(figures, integer, {} if _within(figures, resolution) else limits)
    if tally.nan_lost:
        reasons.append(f"the reference has {tally.nan_lost} NaN that are numbers here; these were left out")
    nothing = not tally.compared and not tally.texts
    if tally.texts:
        reasons.append("texts, which agree or differ by no amount")
    elif nothing:
        why = ", all are NaN or infinite: give data that it answers otherwise (--data)" if tally.left_out else ""
        reasons.append(f"there is no number to compare{why}")
    undecided = nothing or tally.nan_lost or "max_abs overflows" in reasons
    figures["passed"] = False if broken else None if undecided else True
    figures["reason"] = "; ".join(broken + reasons) or None
    return figures


def _sqnr(tally: Tally) -> tuple[float | None, str | None]:
    if tally.square_error == 0:
        return None, "identical, so there is no noise to relate the signal to"
    if tally.square_reference == 0:
        return None, "the reference is all zero, so there is no signal to relate the noise to"
    value = 10 * math.log10(tally.square_reference / tally.square_error) if math.isfinite(tally.square_error) else None
    return (value, None) if value is not None and math.isfinite(value) else (None, "sqnr_db overflows")


def _within(figures: dict[str, Any], resolution: dict[str, float]) -> bool:
    """Whether an output is as near as the original itself resolves it (see tolerances.py)."""
    if figures.get("max_abs") is None or figures.get("scale") is None:
        return False
    most = max(MOST_STEPS * resolution.get("step", 0.0), resolution.get("range", 0.0) * figures["scale"])
    agreement = resolution.get("agreement")
    agrees = agreement is not None and figures.get("argmax_agreement", 0.0) >= agreement
    return agrees or bool(figures["max_abs"] <= most * (1 + 1e-5))  # a step is a float32


def _broken(figures: dict[str, Any], integer: bool, limits: Mapping[str, Any]) -> list[str]:
    """One line for each limit that does not hold. An integer output has no rounding error: it agrees or not."""
    broken = []
    if figures["nan"]:
        broken.append(f"{figures['nan']} NaN that the reference does not have")
    if figures["inf"]:
        broken.append(f"{figures['inf']} infinities where the two differ")
    checks = [("argmax_agreement", "min_agreement")] if integer else [("max_rel", "max_rel"), ("cosine", "min_cosine")]
    for figure, limit in checks:
        value, bound = figures.get(figure), limits.get(limit)
        if value is None or bound is None:
            continue
        if value > bound if limit.startswith("max") else value < bound:
            broken.append(f"{figure} {value:.4g} breaks its limit {bound:g}")
    return broken
