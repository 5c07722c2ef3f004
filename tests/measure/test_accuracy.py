"""Top-1 on labelled samples, alone and paired with the original."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.measurement import Accuracy
from dlpipe.measure import accuracy_call
from dlpipe.measure.metric import parse_metric


def one_hot(classes: list[int], count: int = 4, dtype: Any = np.float32) -> np.ndarray[Any, Any]:
    return np.eye(count, dtype=dtype)[classes][:, None, :]


@pytest.fixture
def labels(tmp_path: Path) -> Any:
    def make(values: list[int | None]) -> Path:
        folder = tmp_path / "labels"
        folder.mkdir()
        (folder / "labels.json").write_text(json.dumps({"labels": values, "names": [], "items": []}))
        return folder

    return make


def test_alone(serve: Any, outputs: Any, labels: Any) -> None:
    event = serve(
        accuracy_call(), candidate=outputs("a", y=one_hot([0, 1, 2, 3, 0])), labels=labels([0, 1, 2, 0, None])
    )
    found = Accuracy.model_validate(event["value"])
    assert (found.value, found.n, found.drop) == (0.75, 4, None)
    assert found.correct_digest == hashlib.sha256(bytes([1, 1, 1, 0])).hexdigest()
    assert found.reason


def test_paired_with_the_original(serve: Any, outputs: Any, labels: Any) -> None:
    truth = [0] * 20
    original = outputs("original", y=one_hot([0] * 18 + [1, 1]))
    candidate = outputs("candidate", y=one_hot([1] * 6 + [0] * 13 + [1]))
    event = serve(accuracy_call(), candidate=candidate, reference=original, labels=labels(truth))
    found = Accuracy.model_validate(event["value"])
    assert (found.value, found.only_original_right, found.only_this_right) == (0.65, 6, 1)
    assert found.drop == pytest.approx(25.0)
    assert found.p_value == pytest.approx(2 * (1 + 7) / 2**7)
    assert found.drop_ci95 is not None
    assert found.drop_ci95[0] < 25 < found.drop_ci95[1]


def test_a_nan_is_a_wrong_answer(serve: Any, outputs: Any, labels: Any) -> None:
    scores = one_hot([0, 0])
    scores[0, 0, 0] = np.nan  # argmax would choose it, and be right
    event = serve(accuracy_call(), candidate=outputs("a", y=scores), labels=labels([0, 0]))
    assert event["value"]["value"] == 0.5


@pytest.mark.parametrize("scores", [one_hot([2, 1])[..., None], one_hot([2, 1], dtype=np.uint8), np.array([[2], [1]])])
def test_forms_of_a_classification(serve: Any, outputs: Any, labels: Any, scores: Any) -> None:
    event = serve(accuracy_call(), candidate=outputs("a", y=scores), labels=labels([2, 3]))
    assert event["value"]["value"] == 0.5


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.zeros((3, 4), np.float32), "2 labels, but 3 samples"),
        (np.zeros((2, 4, 4), np.float32), "not one score per class"),
        (np.zeros((2, 1), np.float32), "not one score per class"),
    ],
)
def test_what_does_not_fit_is_refused(serve: Any, outputs: Any, labels: Any, scores: Any, message: str) -> None:
    event = serve(accuracy_call(), candidate=outputs("a", y=scores), labels=labels([0, 0]))
    assert event["event"] == "failed"
    assert message in event["message"]


def test_labels_beyond_the_classes_are_refused(serve: Any, outputs: Any, labels: Any) -> None:
    event = serve(accuracy_call(), candidate=outputs("a", y=one_hot([0, 3])), labels=labels([1, 4]))
    assert event["event"] == "failed"
    assert "go up to 4, and y has 4 classes" in event["message"]


def test_without_any_label_there_is_no_accuracy(serve: Any, outputs: Any, labels: Any) -> None:
    event = serve(accuracy_call(), candidate=outputs("a", y=one_hot([0, 0])), labels=labels([None, None]))
    assert event["message"] == "no sample has a label"


def test_an_output_is_chosen_by_name(serve: Any, outputs: Any, labels: Any) -> None:
    folder = outputs("a", boxes=np.zeros((2, 7, 4)), classes=one_hot([1, 1]))
    where = labels([1, 1])
    assert (
        serve(accuracy_call(parse_metric("top-1,output=classes")), candidate=folder, labels=where)["value"]["value"]
        == 1.0
    )
    assert (
        "has no output 'x'"
        in serve(accuracy_call(parse_metric("top-1,output=x")), candidate=folder, labels=where)["message"]
    )
