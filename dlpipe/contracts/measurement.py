"""What a measurement says about one model: fidelity, accuracy, speed-up. Shared by `measure/` and `report/`.

Every number is finite, or None with the reason beside it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from dlpipe.contracts.figure import Provenance

Interval = tuple[FiniteFloat, FiniteFloat]
Fraction = Annotated[FiniteFloat, Field(ge=0, le=1)]


class Value(BaseModel):
    """Base of the report's types: immutable, and closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True)


class OutputFidelity(Value):
    """How near one output of a candidate is to the reference's output of the same name."""

    max_abs: FiniteFloat | None = None
    max_rel: FiniteFloat | None = None  # max_abs / scale
    scale: FiniteFloat | None = None  # the reference output's range (max - min) over all samples, or its fallback
    cosine: FiniteFloat | None = None  # of all elements of all samples together
    cosine_min: FiniteFloat | None = None  # the lowest of any one sample
    sqnr_db: FiniteFloat | None = None  # 10 log10(signal power / error power), over all samples
    # Share of places whose largest element along the last axis is the same; of an integer output: of equal elements.
    argmax_agreement: Fraction | None = None
    worst_sample: int | None = None  # index of the sample that holds max_abs
    nan: int = 0  # elements that are NaN here and not in the reference
    inf: int = 0  # elements that are infinite here and not the same infinity in the reference
    passed: bool | None = None
    reason: str | None = None


class Fidelity(Value):
    """The worst of all outputs. `passed` is None where no verdict is possible; then `reason` says why.

    `tolerance` limits `max_rel`, `min_cosine` limits `cosine`, `min_agreement` limits `argmax_agreement`;
    `tolerance_reason` says where these limits come from.
    """

    vs: Literal["original", "independent", "own"]
    max_abs: FiniteFloat | None = None
    max_rel: FiniteFloat | None = None
    cosine: FiniteFloat | None = None
    sqnr_db: FiniteFloat | None = None
    argmax_agreement: Fraction | None = None
    samples: int = Field(default=0, ge=0)
    tolerance: FiniteFloat | None = None
    min_cosine: FiniteFloat | None = None
    min_agreement: Fraction | None = None
    tolerance_reason: str | None = None
    passed: bool | None = None
    reason: str | None = None
    outputs: dict[str, OutputFidelity] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _says_why(self) -> Fidelity:
        silent = self.passed is None or None in (self.max_abs, self.max_rel, self.cosine, self.sqnr_db)
        if silent and not self.reason:
            raise ValueError("a fidelity with a figure or the verdict missing says why")
        return self


class Accuracy(Value):
    """The task's own metric on labelled data, and how it differs from the original's on the very same samples.

    A drop is counted in points of the metric: hundredths where it is a fraction, else its own unit. It is positive
    where this model is worse than the original, whichever way the metric counts.
    """

    metric: str
    value: FiniteFloat  # a fraction in 0-1, or the metric's own scale
    ci95: Interval | None  # None: too few samples to tell one
    n: int = Field(ge=1)
    unit: str | None = "fraction"  # "fraction", "points" (0-100), "dB" ...; None: the metric's own scale
    better: Literal["higher", "lower"] = "higher"
    interval: str | None = None  # how ci95 was computed: wilson, bootstrap-bca, bootstrap-percentile
    drop: FiniteFloat | None = None
    drop_ci95: Interval | None = None
    p_value: Fraction | None = None  # two-sided, of the paired test against the original
    test: str | None = None  # which test that is: mcnemar-exact, paired-bootstrap
    only_original_right: int | None = None  # samples the original has right and this one wrong
    only_this_right: int | None = None
    correct_digest: str | None = None  # SHA-256 of the vector of right and wrong, in sample order
    correct: str | None = None  # that vector, one bit a sample, first sample first: base64 of numpy's packbits
    provenance: Provenance = "measured"
    reason: str | None = None  # why there is no comparison with the original, or no interval

    @property
    def original(self) -> float | None:
        """The original's value on these samples; None where there is no comparison."""
        if self.drop is None:
            return None
        drop = self.drop / 100 if self.unit == "fraction" else self.drop
        return self.value + drop if self.better == "higher" else self.value - drop


class Speedup(Value):
    """`value` = the baseline's median latency over this one's, from interleaved runs: above 1 is faster."""

    baseline: Literal["original", "reference-runtime"]
    value: FiniteFloat | None
    ci95: Interval | None = None
    provenance: Provenance
    measured_on: str | None = None
    date: AwareDatetime | None = None
    noisy: bool = False  # the runs varied too much for the ratio to mean much
    reason: str | None = None

    @model_validator(mode="after")
    def _honest(self) -> Speedup:
        if (self.value is None) != (self.provenance == "absent"):
            raise ValueError("a speed-up has a value, or is absent; not both, not neither")
        if (self.value is None or self.noisy) and not self.reason:
            raise ValueError("an absent or noisy speed-up says why")
        return self
