"""How near a model's outputs are to the float model's: running sums, one sample at a time."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

IDENTICAL = 200.0  # dB, for outputs without any noise: so that figures can always be compared
BROKEN = -200.0  # dB, for an infinity or NaN that the float model does not have
APART = 100.0  # nats, for the same


@dataclass(frozen=True, slots=True)
class Figures:
    """Of the worst output. sqnr_db lies between BROKEN and IDENTICAL. agreement: share of places with the same largest
    class; kl: mean divergence of the classes' probabilities (nats); both None where no output has classes."""

    sqnr_db: float
    cosine: float
    agreement: float | None = None
    kl: float | None = None

    def as_dict(self) -> dict[str, float | None]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Limit:
    """All that are given must hold."""

    sqnr_db: float | None = None
    cosine: float | None = None
    agreement: float | None = None
    kl: float | None = None

    def holds(self, figures: Figures) -> bool:
        at_least = [
            (figures.sqnr_db, self.sqnr_db),
            (figures.cosine, self.cosine),
            (figures.agreement, self.agreement),
        ]
        within = all(value is None or bound is None or value >= bound for value, bound in at_least)
        return within and (self.kl is None or figures.kl is None or figures.kl <= self.kl)


@dataclass(slots=True)
class Tally:
    """What was seen of one output so far."""

    signal: float = 0.0
    noise: float = 0.0
    other: float = 0.0
    dot: float = 0.0
    broken: bool = False
    places: int = 0
    agreeing: int = 0
    divergence: float = field(default=0.0)

    def add(self, reference: Any, candidate: Any) -> None:
        a, b = np.asarray(reference, np.float64), np.asarray(candidate, np.float64)
        finite = np.isfinite(a)
        if not np.isfinite(b[finite]).all():
            self.broken = True
            return
        self._classes(a, b, finite)
        a, b = np.where(finite, a, 0.0), np.where(finite & np.isfinite(b), b, 0.0)
        self.signal += float((a * a).sum())
        self.other += float((b * b).sum())
        self.dot += float((a * b).sum())
        self.noise += float(((a - b) ** 2).sum())

    def _classes(self, a: Any, b: Any, finite: Any) -> None:
        if a.ndim < 2 or a.shape[-1] < 2 or not a.size or not finite.all():
            return
        chosen = np.take_along_axis(a, b.argmax(axis=-1)[..., None], axis=-1)[..., 0]
        self.places += chosen.size
        self.agreeing += int((chosen == a.max(axis=-1)).sum())  # a tie may be broken either way
        p, q = _probabilities(a), _probabilities(b)
        terms = np.where(p > 0, p * np.log(np.maximum(p, 1e-30) / np.maximum(q, 1e-30)), 0.0)
        self.divergence += float(np.maximum(terms.sum(axis=-1), 0.0).sum())

    def figures(self) -> Figures:
        if self.broken:
            return Figures(BROKEN, 0.0, 0.0, APART) if self.places else Figures(BROKEN, 0.0)
        if self.noise == 0:
            ratio = IDENTICAL
        elif self.signal == 0:
            ratio = BROKEN
        else:
            ratio = min(max(10 * math.log10(self.signal / self.noise), BROKEN), IDENTICAL)
        both = math.sqrt(self.signal * self.other)
        cosine = self.dot / both if both else float(self.signal == self.other)
        if not self.places:
            return Figures(ratio, cosine)
        return Figures(ratio, cosine, self.agreeing / self.places, self.divergence / self.places)


def worst(tallies: list[Tally]) -> Figures:
    each = [tally.figures() for tally in tallies]
    agreements = [figures.agreement for figures in each if figures.agreement is not None]
    divergences = [figures.kl for figures in each if figures.kl is not None]
    return Figures(
        min((figures.sqnr_db for figures in each), default=IDENTICAL),
        min((figures.cosine for figures in each), default=1.0),
        min(agreements, default=None),
        max(divergences, default=None),
    )


def _probabilities(array: Any) -> Any:
    """Of the classes on the last axis: what it holds, where that is probabilities, else its softmax."""
    if array.min() >= 0 and np.allclose(array.sum(axis=-1), 1.0, atol=1e-2):
        return array
    powers = np.exp(array - array.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
