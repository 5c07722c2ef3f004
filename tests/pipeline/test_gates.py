from __future__ import annotations

from typing import Any

import pytest

from dlpipe.contracts.figure import Figure
from dlpipe.contracts.measurement import Accuracy, Speedup
from dlpipe.pipeline.gates import evaluate, samples_needed
from dlpipe.pipeline.limits import UserLimits
from dlpipe.pipeline.select import broken_paths, select
from dlpipe.report import summary
from dlpipe.report.schema import Artifact


def artifact(variant: str, *, size: int, drop: float, latency: float | None = None, wrong: int = 0) -> Artifact:
    cost = {"size": Figure(value=size, unit="bytes", provenance="measured")}
    if latency is None:
        cost["latency_p50"] = Figure.absent("emulated", "ms")
    else:
        cost["latency_p50"] = Figure(value=latency, unit="ms", provenance="measured")
    return Artifact(
        target="arm64",
        backend="onnxruntime",
        variant=variant,
        path=f"artifacts/arm64/onnxruntime-{variant}",
        size_bytes=size,
        ran_on="qemu-aarch64" if latency is None else "native",
        verdict="passed",
        provenance="emulated" if latency is None else "measured",
        accuracy=Accuracy(
            metric="top-1",
            value=0.9,
            ci95=(0.85, 0.95),
            n=200,
            drop=drop,
            drop_ci95=(drop - 2, drop + 2),
            p_value=0.5,
            only_original_right=wrong,
            only_this_right=0,
        ),
        fidelity_reason="not of interest here",
        cost=cost,
    )


def choose(*artifacts: Artifact, confidence: float | None = None, **limits: str) -> tuple[str | None, str | None]:
    gates = evaluate(UserLimits.parse(**limits), artifacts, {}, confidence=confidence)
    chosen = select(artifacts, broken_paths(gates, {each.path: "" for each in artifacts}))
    return (chosen.variant, chosen.basis) if chosen else (None, None)


def test_without_timings_the_smallest_wins_and_says_so() -> None:
    fp32, int8 = artifact("fp32", size=100, drop=0.0), artifact("int8", size=40, drop=1.0)
    assert choose(fp32, int8) == ("int8", "unmeasured-speed")


def test_with_timings_the_fastest_wins() -> None:
    fp32, int8 = artifact("fp32", size=100, drop=0.0, latency=1.0), artifact("int8", size=40, drop=1.0, latency=2.0)
    assert choose(fp32, int8) == ("fp32", "measured-latency")


def test_a_limit_leaves_the_next_best() -> None:
    fp32, int8 = artifact("fp32", size=100, drop=0.0), artifact("int8", size=40, drop=1.0, wrong=2)
    assert choose(fp32, int8, max_accuracy_drop="0.5%") == ("fp32", "unmeasured-speed")


def test_confidence_lets_the_bad_end_of_the_interval_decide() -> None:
    fp32 = artifact("fp32", size=100, drop=0.0)
    assert choose(fp32, max_accuracy_drop="1%")[0] == "fp32"
    assert choose(fp32, confidence=0.95, max_accuracy_drop="1%")[0] is None


def test_confidence_holds_for_times_too() -> None:
    quick = artifact("fp32", size=100, drop=0.0, latency=1.0)
    median = quick.cost["latency_p50"].model_copy(update={"ci95": (0.8, 1.4)})
    ratio = Speedup(baseline="original", value=1.5, ci95=(1.1, 1.9), provenance="measured")
    found = quick.model_copy(update={"cost": {**quick.cost, "latency_p50": median}, "speedups": (ratio,)})
    for limit in ({"max_latency": "1.2ms"}, {"min_speedup": "1.3"}):
        assert choose(found, **limit)[0] == "fp32"
        assert choose(found, confidence=0.95, **limit)[0] is None
    (gate,) = (
        each
        for each in evaluate(UserLimits.parse(max_latency="1.2ms"), [found], {}, confidence=0.95)
        if each.name == "max-latency"
    )
    assert (
        summary.gate(gate) == "1.40 ms, limit 1.20 ms; the bad end of the 95 % interval, where the estimate is 1.00 ms"
    )


def test_a_latency_limit_cannot_be_met_on_an_emulator() -> None:
    gates = evaluate(UserLimits.parse(max_latency="10ms"), [artifact("fp32", size=1, drop=0)], {}, confidence=None)
    latency = next(gate for gate in gates if gate.name == "max-latency")
    assert latency.passed is None
    assert latency.reason
    assert "emulated" in latency.reason


def test_a_broken_accuracy_limit_names_the_sample_size_that_would_resolve_it() -> None:
    gates = evaluate(
        UserLimits.parse(max_accuracy_drop="0.1%"), [artifact("int8", size=1, drop=1.0, wrong=2)], {}, confidence=None
    )
    drop = next(gate for gate in gates if gate.name == "max-accuracy-drop")
    assert (drop.passed, drop.n) == (False, 200)
    assert drop.samples_needed is not None
    assert drop.samples_needed > 200
    assert f"{drop.samples_needed:,}" in (drop.reason or "")


def error(drop: float, **more: Any) -> Accuracy:
    """A metric with a scale of its own, of which less is better: the original's is 20."""
    found: dict[str, Any] = {"metric": "rmse", "unit": None, "better": "lower", "value": 20 + drop, "n": 100}
    return Accuracy(**{**found, "ci95": None, "drop": drop, "drop_ci95": (drop - 0.5, drop + 0.5), **more})


@pytest.mark.parametrize(
    ("limit", "drop", "passed", "shown"),
    [
        ("1%", 0.19, True, 0.2),  # of the original's 20
        ("1%", 0.21, False, 0.2),
        ("0.5", 0.49, True, 0.5),  # in the metric's own unit
        ("0.5points", 0.51, False, 0.5),
    ],
)
def test_a_limit_means_something_for_every_metric(limit: str, drop: float, passed: bool, shown: float) -> None:
    found = artifact("int8", size=1, drop=0).model_copy(update={"accuracy": error(drop)})
    gates = evaluate(UserLimits.parse(max_accuracy_drop=limit), [found], {}, confidence=None)
    gate = next(each for each in gates if each.name == "max-accuracy-drop")
    assert (gate.passed, gate.limit, gate.unit) == (passed, pytest.approx(shown), None)
    assert gate.reason is not None
    assert gate.reason.startswith(f"rmse: drop +{drop:.3f} on 100 samples")


def test_percent_of_a_metric_that_counts_to_a_hundred_are_points() -> None:
    found = error(0.4, metric="bleu", unit="points", better="higher", value=30.0)
    assert UserLimits.parse(max_accuracy_drop="0.5%").allowed_drop(found) == 0.5


def test_how_many_samples_an_interval_needs() -> None:
    """Half as wide takes four times the samples."""
    assert samples_needed(error(0.0), 0.25) == 400
    assert samples_needed(error(0.0), 1.0) == 100
    assert samples_needed(error(0.0, drop_ci95=None), 0.25) is None
