"""Every metric against another implementation's figure on the same numbers, and what must hold of any data.

The figures are of scikit-learn 1.9.1 (f1_score, roc_auc_score, top_k_accuracy_score, jaccard_score,
mean_squared_error, mean_absolute_error), scikit-image 0.26.0 (structural_similarity with gaussian_weights, sigma=1.5,
use_sample_covariance=False; peak_signal_noise_ratio) and SciPy 1.17.1 (bootstrap, BCa, 20,000 resamples).
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlpipe.contracts.measurement import Accuracy
from dlpipe.errors import UserError
from dlpipe.measure import accuracy_call, parse_metric
from dlpipe.measure.metric import metrics

Judge = Callable[..., Accuracy]


def noise(*shape: int, seed: int) -> Any:
    """Numbers in 0-1 that any library can be given again."""
    index = np.arange(1, math.prod(shape) + 1, dtype=np.float64) + 1000 * seed
    value = np.sin(index * 12.9898) * 43758.5453
    return (value - np.floor(value)).reshape(shape)


@pytest.fixture
def ask(serve: Any, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """ask(metric, answers, labels or y=array, reference=answers) -> the worker's last event."""
    made = iter(range(10_000))

    def folder(**arrays: Any) -> Path:
        place = tmp_path / str(next(made))
        place.mkdir()
        np.savez(place / "outputs.npz", **arrays)
        return place

    def run(metric: str, answers: Any, labels: Any = None, *, truth: str = "class", y: Any = None, **more: Any) -> Any:
        place = tmp_path / str(next(made))
        place.mkdir()
        if y is not None:
            np.savez(place / "labels.npz", y=y)
            labels, truth = [True] * len(y), "array"
        given_ = {"labels": list(labels), "truth": truth, "names": more.pop("names", None)}
        (place / "labels.json").write_text(json.dumps(given_))
        inputs = {"candidate": folder(y=answers), "labels": place}
        if "reference" in more:
            inputs["reference"] = folder(y=more["reference"])
        return dict(serve(accuracy_call(parse_metric(metric)), **inputs))

    return run


@pytest.fixture
def judge(ask: Any) -> Judge:
    def run(*args: Any, **more: Any) -> Accuracy:
        event = ask(*args, **more)
        assert event["event"] == "result", event
        return Accuracy.model_validate(event["value"])

    return run


CLASSES = (noise(60, seed=1) * 4).astype(int)
SCORES = noise(60, 4, seed=2) + 0.35 * np.eye(4)[CLASSES]
SEVERAL = (noise(40, 3, seed=5) > 0.5).astype(int)
SEVERAL_SCORES = noise(40, 3, seed=6) * 0.8 + 0.2 * SEVERAL
VALUES = noise(30, seed=7) * 10
MASK = (noise(5, 8, 9, seed=9) * 3).astype(int)
MASK_SCORES = noise(5, 3, 8, 9, seed=10) + 0.5 * np.moveaxis(np.eye(3)[MASK], -1, 1)
PICTURE = noise(2, 24, 20, 3, seed=11)
NOISY = np.clip(PICTURE + 0.2 * (noise(2, 24, 20, 3, seed=12) - 0.5), 0, 1)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("f1-macro", 0.5644984326018809),
        ("f1", 0.5644984326018809),
        ("f1-micro", 0.5833333333333334),
        ("f1-weighted", 0.5840125391849529),
        ("f1-binary,positive=2", 0.4827586206896552),
        ("auc", 0.8123777902800509),
        ("top-2", 0.75),
        ("top-1", 0.5833333333333334),
    ],
)
def test_classification(judge: Judge, metric: str, expected: float) -> None:
    found = judge(metric, SCORES, CLASSES.tolist())
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert (found.unit, found.better, found.n) == ("fraction", "higher", 60)
    assert found.ci95 is not None
    assert 0.2 < found.ci95[0] < found.value < found.ci95[1] < 1
    assert found.interval == ("wilson" if metric.startswith("top") else "bootstrap-bca")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("f1-macro", 0.5852130325814536), ("f1-micro", 0.5871559633027523), ("auc", 0.6693253937499462)],
)
def test_several_classes_at_once(judge: Judge, metric: str, expected: float) -> None:
    assert judge(metric, SEVERAL_SCORES, y=SEVERAL).value == pytest.approx(expected, abs=1e-12)


def test_area_with_ties(judge: Judge) -> None:
    labels = (noise(50, seed=3) > 0.6).astype(int)
    scores = np.round(noise(50, seed=4) + 0.3 * labels, 1)
    assert judge("auc", scores[:, None], labels.tolist()).value == pytest.approx(0.8149405772495755, abs=1e-12)
    two = np.stack([-scores, scores], axis=1)  # logits of both: the same order
    assert judge("auc", two, labels.tolist()).value == pytest.approx(0.8149405772495755, abs=1e-12)


@pytest.mark.parametrize(("metric", "expected"), [("rmse", 0.2715720685889718), ("mae", 0.2278791590192327)])
def test_regression(judge: Judge, metric: str, expected: float) -> None:
    answers = (VALUES + noise(30, seed=8) - 0.5)[:, None]
    found = judge(metric, answers, VALUES.tolist(), truth="value")
    assert found.value == pytest.approx(expected, abs=1e-12)
    assert (found.unit, found.better) == (None, "lower")
    assert judge(metric, answers, y=VALUES[:, None]).value == found.value  # as an array


def test_remaining_life_costs_more_when_told_too_long(judge: Judge) -> None:
    """PHM08: exp(-d / 13) - 1 for d = -13 and exp(d / 10) - 1 for d = 20, their sum."""
    found = judge("rul-score", np.array([[87.0], [70.0], [5.0]]), [100, 50, 5])
    assert found.value == pytest.approx((math.e - 1) + (math.e**2 - 1) + 0)


@pytest.mark.parametrize("form", ["scores first", "scores last", "indices"])
def test_segmentation(judge: Judge, form: str) -> None:
    answers = {
        "scores first": MASK_SCORES,
        "scores last": np.moveaxis(MASK_SCORES, 1, -1)[:, None],
        "indices": MASK_SCORES.argmax(axis=1),
    }[form]
    assert judge("miou", answers, y=MASK).value == pytest.approx(0.6473951756516109, abs=1e-12)
    assert judge("iou", answers, y=MASK).value == pytest.approx(0.64, abs=1e-12)


def test_pixels_that_do_not_count(judge: Judge) -> None:
    mask = MASK.copy()
    mask[MASK_SCORES.argmax(axis=1) != MASK] = 255
    assert judge("miou", MASK_SCORES, y=mask).value == 1.0


def test_pictures(judge: Judge) -> None:
    found = judge("ssim", NOISY, y=PICTURE)
    assert found.value == pytest.approx((0.9814686823303393 + 0.9787399090517255) / 2, abs=1e-9)
    first = judge("ssim", np.moveaxis(NOISY, -1, 1), y=np.moveaxis(PICTURE, -1, 1))
    assert first.value == pytest.approx(found.value, abs=1e-12)
    ratio = judge("psnr", NOISY, y=PICTURE)
    assert (ratio.value, ratio.unit) == (pytest.approx((25.126219696803936 + 25.01007188037635) / 2, abs=1e-9), "dB")
    assert judge("psnr", 255 * NOISY, y=255 * PICTURE).value == pytest.approx(ratio.value, abs=1e-9)
    assert judge("psnr", PICTURE, y=PICTURE).value == 100  # of equal ones


def test_retrieval(judge: Judge) -> None:
    """By hand: on a circle, 0 and 10 degrees are of class 0, 20 and 90 of class 1, 200 is alone. The nearest of 0 is 10
    (right), of 10 it is 0 (as near as 20, and before it), of 20 it is 10 (wrong; 0 and 90 follow), of 90 it is 20."""
    angles = np.radians([0, 10, 20, 90, 200])
    where = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    where[1] = [math.cos(math.radians(9)), math.sin(math.radians(9))]
    labels = [0, 0, 1, 1, 2]
    assert judge("recall@1", where, labels).value == 3 / 4
    assert judge("recall@3", where, labels).value == 1
    assert judge("map@3", where, labels).value == pytest.approx((1 + 1 + 1 / 3 + 1) / 4)
    assert judge("recall@1", where, labels).n == 4


def test_perplexity(judge: Judge) -> None:
    """A model that gives every token of 5 the same chance is as puzzled as a die of 5 sides."""
    tokens = (noise(6, 7, seed=14) * 5).astype(int)
    assert judge("perplexity", np.zeros((6, 7, 5)), y=tokens).value == pytest.approx(5)
    scores = noise(6, 7, 5, seed=15)
    chances = np.exp(scores) / np.exp(scores).sum(axis=-1, keepdims=True)
    told = np.take_along_axis(chances, tokens[..., None], axis=-1)
    expected = math.exp(-np.log(told).mean())
    for form in (scores, chances, np.log(chances)):
        assert judge("perplexity", form, y=tokens).value == pytest.approx(expected)
    half = tokens.copy()
    half[:, 3:] = -100
    assert judge("perplexity", scores, y=half).value == pytest.approx(math.exp(-np.log(told[:, :3]).mean()))


def test_interval_of_a_mean(judge: Judge) -> None:
    found = judge("mae", (noise(80, seed=13) ** 3)[:, None], [0] * 80)
    assert found.interval == "bootstrap-bca"
    assert found.ci95 == pytest.approx((0.18088943368421853, 0.30168404578722824), abs=0.006)


def test_a_rise_of_an_error_is_a_drop(judge: Judge) -> None:
    labels = VALUES.tolist()
    original, worse = (VALUES[:, None] + each * (noise(30, 1, seed=8) - 0.5) for each in (1, 1.5))
    found = judge("rmse", worse, labels, truth="value", reference=original)
    assert found.drop == pytest.approx(0.2715720685889718 / 2)
    assert found.original == pytest.approx(0.2715720685889718)
    assert found.drop_ci95 is not None
    assert 0 < found.drop_ci95[0] < found.drop < found.drop_ci95[1]
    assert (found.test, found.p_value) == ("paired-bootstrap", pytest.approx(2 / 1001))
    better = judge("rmse", original, labels, truth="value", reference=worse)
    assert better.drop == pytest.approx(-found.drop)


def test_a_drop_of_a_fraction_is_in_points(judge: Judge) -> None:
    worse = np.where(np.arange(60)[:, None] < 12, -SCORES, SCORES)
    found = judge("f1-macro", worse, CLASSES.tolist(), reference=SCORES)
    assert found.drop == pytest.approx(100 * (0.5644984326018809 - found.value))
    assert found.p_value is not None
    assert found.p_value < 0.05
    assert found.original == pytest.approx(0.5644984326018809)


def test_one_sample_tells_no_interval(judge: Judge) -> None:
    found = judge("rmse", np.array([[1.0]]), [2], reference=np.array([[1.5]]))
    assert (found.value, found.ci95, found.drop, found.p_value) == (1.0, None, 0.5, None)
    assert "too few" in (found.reason or "")


@pytest.mark.parametrize(
    ("metric", "answers", "more", "message"),
    [
        ("auc", SCORES, {"labels": [1] * 60}, "only one class"),
        ("rmse", np.full((3, 1), np.nan), {"labels": [1, 2, 3]}, "NaN or infinities for 3 of 3"),
        ("rmse", np.zeros((3, 2)), {"labels": [1, 2, 3]}, "2 numbers per sample, and the labels have 1"),
        ("miou", np.zeros((5, 7, 9)), {"y": MASK}, "its labels are [8, 9]"),
        ("top-1", np.zeros((5, 3)), {"y": MASK}, "needs samples with a class each"),
        ("f1", SEVERAL_SCORES[:, :2], {"y": SEVERAL}, "one 0 or 1 for each score"),
        ("recall@1", SCORES[:2], {"labels": [0, 1]}, "nothing to retrieve"),
        ("perplexity", np.zeros((6, 7, 5)), {"y": np.full((6, 7), 5)}, "go up to 5"),
        ("top-9", SCORES, {"labels": CLASSES.tolist()}, "nothing to choose 9 of"),
        ("rul-score", np.full((2, 1), 1e6), {"labels": [0, 0]}, "beyond all numbers"),
        ("ssim", PICTURE[:, :9], {"y": PICTURE[:, :9]}, "at least 11 pixels"),
    ],
)
def test_what_tells_nothing_is_refused(ask: Any, metric: str, answers: Any, more: Any, message: str) -> None:
    event = ask(metric, answers, **more)
    assert event["event"] == "failed", event
    assert message in event["message"] + str(event.get("hint"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(2, 12), st.sampled_from(["f1-macro", "f1-micro", "auc", "top-1"]))
def test_whatever_the_classes(ask: Any, seed: int, n: int, metric: str) -> None:
    """In 0-1 and inside its interval; nothing is lost against itself; the order of the samples does not matter."""
    labels = [index % 3 for index in range(n)]
    scores = noise(n, 3, seed=seed)
    event = ask(metric, scores, labels, reference=scores)
    assert event["event"] == "result", event
    found = Accuracy.model_validate(event["value"])
    assert 0 <= found.value <= 1
    assert found.drop == 0
    assert found.p_value in ((None, 1) if n < 5 else (1,))  # of so few, most replicates have a class less
    assert found.drop_ci95 is None or found.drop_ci95[0] <= 0 <= found.drop_ci95[1]
    assert found.ci95 is None or found.ci95[0] <= found.value <= found.ci95[1]
    turned = ask(metric, scores[::-1], labels[::-1])["value"]
    assert turned["value"] == pytest.approx(found.value)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 10**6), st.integers(2, 12), st.floats(0.1, 10))
def test_whatever_the_values(ask: Any, seed: int, n: int, scale: float) -> None:
    """mae <= rmse, both grow with the unit, and shrink to nothing with the error."""
    wanted, said = noise(n, seed=seed), noise(n, 1, seed=seed + 1)
    mae, rmse, larger, none = (
        ask(metric, factor * answers, (factor * wanted).tolist(), truth="value")["value"]["value"]
        for metric, answers, factor in (
            ("mae", said, 1.0), ("rmse", said, 1.0), ("rmse", said, scale), ("rmse", wanted[:, None], 1.0)
        )
    )  # fmt: skip
    assert mae <= rmse * (1 + 1e-9)
    assert larger == pytest.approx(scale * rmse)
    assert none == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("top1", "did you mean top-1"),
        ("f1-binary,positiv=1", "takes threshold, positive, output"),
        ("f1-binary,positive=x", "positive is a number"),
        ("rmse,3", "is not setting=value"),
        ("top-0", "counts from 1"),
    ],
)
def test_metrics_by_name(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_metric(text)
    assert message in f"{caught.value.message} {caught.value.hint}"


def test_every_metric_has_a_name() -> None:
    assert all(parse_metric(name).name == name for name in metrics())
