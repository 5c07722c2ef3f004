"""Metrics of the toolchain `metrics`, in it, against its libraries' own figures and by hand.

The figures are jiwer 4.0.0's wer and cer, sacrebleu 2.6.0's corpus_score, and pycocotools 2.0.11's summarize.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.contracts.measurement import Accuracy
from dlpipe.errors import DlpipeError
from dlpipe.measure import accuracy_call, parse_metric
from tests.conftest import Bench
from tests.measure.test_metrics import noise

Judge = Callable[..., Accuracy]
WANTED = [
    "the cat sat on the mat",
    "a quick brown fox jumps over the lazy dog",
    "hello world",
    "it is raining today in the north",
]
SAID = [
    "the cat sat on mat",
    "a quick brown box jumped over the lazy dog again",
    "hello word",
    "it is raining in the north today",
]


@pytest.fixture
def judge(bench: Bench, tmp_path: Path) -> Judge:
    """judge(metric, labels.json's content, output=array ..., reference={...})"""
    made = iter(range(1000))

    def folder(**arrays: Any) -> Path:
        place = tmp_path / str(next(made))
        place.mkdir()
        np.savez(place / "outputs.npz", **arrays)
        return place

    def run(metric: str, labels: dict[str, Any], reference: dict[str, Any] | None = None, **outputs: Any) -> Accuracy:
        place = tmp_path / str(next(made))
        place.mkdir()
        (place / "labels.json").write_text(json.dumps(labels))
        inputs = {"candidate": folder(**outputs), "labels": place}
        if reference is not None:
            inputs["reference"] = folder(**reference)
        return Accuracy.model_validate(bench.run(accuracy_call(parse_metric(metric)), **inputs)[0])

    return run


@pytest.mark.parametrize(
    ("metric", "expected", "better"),
    [
        ("wer", 0.2916666666666667, "lower"),
        ("cer", 0.24528301886792453, "lower"),
        ("bleu", 42.83104556584344, "higher"),
    ],
)
def test_texts(judge: Judge, metric: str, expected: float, better: str) -> None:
    labels = {"labels": WANTED, "truth": "text"}
    found = judge(metric, labels, {"y": np.array(WANTED)}, y=np.array(SAID))
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert found.better == better
    perfect = 100.0 if metric == "bleu" else 0.0
    assert found.original == pytest.approx(perfect)
    assert found.drop == pytest.approx(100 - expected if metric == "bleu" else 100 * expected)
    assert found.ci95 is not None
    assert found.ci95[0] < expected < found.ci95[1]


def test_a_net_that_scores_frames_is_read_by_its_tokens(judge: Judge) -> None:
    """CTC: repeats are one, blanks part them. The blank is named, or stands behind all tokens."""
    labels: dict[str, Any] = {"labels": ["abba cab"], "truth": "text", "names": ["<blank>", "a", "b", "c", "|"]}
    frames = [1, 1, 0, 2, 0, 2, 2, 1, 4, 3, 0, 1, 2, 0]
    assert judge("wer", labels, y=np.eye(5)[frames][None]).value == 0
    behind = [(each - 1) % 5 for each in frames]
    named = {**labels, "names": ["a", "b", "c", "|"]}
    assert judge("cer", named, y=np.eye(5)[behind][None]).value == 0
    assert judge("cer", named, y=np.array([[0, 1, 1, 0, 3, 2, 0]])).value == pytest.approx(1 / 8)
    with pytest.raises(DlpipeError, match="nothing says what text that is"):
        judge("wer", {**labels, "names": None}, y=np.eye(5)[frames][None])


def test_pieces_of_words(judge: Judge) -> None:
    labels = {"labels": ["Lower case words"], "truth": "text"}
    sentence = {**labels, "names": ["▁Lower", "▁case", "▁wor", "ds", "</s>", "x"]}
    assert judge("wer", sentence, y=np.array([[0, 1, 2, 3, 4, 5]])).value == 0
    pieces = {**labels, "names": ["[CLS]", "lower", "case", "wor", "##ds", "[SEP]"]}
    assert judge("wer", pieces, y=np.array([[0, 1, 2, 3, 4, 5]])).value == pytest.approx(1 / 3)
    assert judge("wer,lower=1", pieces, y=np.array([[0, 1, 2, 3, 4, 5]])).value == 0


def test_an_empty_answer_is_all_wrong(judge: Judge) -> None:
    assert judge("wer", {"labels": ["two words", ""], "truth": "text"}, y=np.array(["", "one"])).value == 1.5


PICTURES, THINGS, TOLD = 12, 4, 9


def detections() -> tuple[dict[str, Any], Any]:
    """Labels, and answers [pictures, 9, 6]: boxes near the true ones, one of a wrong class, some far off."""
    corner, size = noise(PICTURES, THINGS, 2, seed=20) * 60, 16 + noise(PICTURES, THINGS, 2, seed=21) * 30
    class_ = (noise(PICTURES, THINGS, seed=22) * 3).astype(int)
    off = (noise(PICTURES, TOLD, 4, seed=23) - 0.5) * 8
    true = np.concatenate([corner, corner + size, class_[..., None], np.zeros((PICTURES, THINGS, 1))], axis=-1)
    answers = np.zeros((PICTURES, TOLD, 6))
    for told in range(TOLD):
        thing = told % THINGS
        answers[:, told, :4] = true[:, thing, :4] + off[:, told] * (1 if told < THINGS else 2)
        answers[:, told, 5] = (class_[:, thing] + (told == 2)) % 3
    answers[..., 4] = np.round(noise(PICTURES, TOLD, seed=24), 3)
    return {"labels": true.tolist(), "truth": "boxes", "input_size": [100, 120]}, answers


@pytest.mark.parametrize(("metric", "expected"), [("map", 0.2519448040205075), ("map50", 0.5811729734070967)])
def test_boxes(judge: Judge, metric: str, expected: float) -> None:
    labels, answers = detections()
    found = judge(metric, labels, {"y": answers}, y=answers)
    assert found.value == pytest.approx(expected, abs=1e-9)
    assert (found.drop, found.p_value) == (0, 1)
    assert found.ci95 is not None
    assert found.ci95[0] < found.value < found.ci95[1]


def test_forms_of_boxes(judge: Judge) -> None:
    """What torchvision, TFLite and YOLO's nets answer with is the same to the metric."""
    labels, answers = detections()
    box, score, class_ = answers[..., :4], answers[..., 4], answers[..., 5]
    expected = judge("map50", labels, y=answers).value
    torchvision = judge("map50", labels, boxes=box, classes=class_.astype(np.int64), scores=score)
    assert torchvision.value == pytest.approx(expected)
    shares = box[..., [1, 0, 3, 2]] / [100, 120, 100, 120]
    tflite = judge("map50,boxes=yxyx,unit=1", labels, a=shares[:, None], b=class_[:, None], c=score[:, None])
    assert tflite.value == pytest.approx(expected)
    middle = np.concatenate([(box[..., :2] + box[..., 2:]) / 2, box[..., 2:] - box[..., :2]], axis=-1)
    scores = np.eye(3)[class_.astype(int)] * score[..., None]
    many = np.concatenate([middle, scores], axis=-1).swapaxes(1, 2)  # [4 + classes, boxes]
    yolo = judge("map50,nms=1", labels, y=many)
    assert yolo.value == pytest.approx(expected)
    pairs = judge("map50,nms=1", labels, boxes=box, scores=scores)
    assert pairs.value == pytest.approx(expected)


def test_boxes_that_overlap_are_one_thing(judge: Judge) -> None:
    labels = {"labels": [[[0, 0, 10, 10, 0, 0]], [[5, 5, 20, 20, 1, 0]]], "truth": "boxes"}
    box = np.array([[[0, 0, 10, 10], [0, 0, 9, 10]], [[5, 5, 20, 20], [5, 5, 20, 19]]], np.float64)
    scores = np.array([[[0.9, 0], [0.8, 0]], [[0, 0.9], [0, 0.8]]])
    assert judge("map", labels, boxes=box, scores=scores).value == pytest.approx(1)


def test_what_are_no_boxes(judge: Judge) -> None:
    labels, _ = detections()
    with pytest.raises(DlpipeError, match="boxes cannot be read of the outputs y"):
        judge("map", labels, y=np.zeros((PICTURES, 7)))
    with pytest.raises(DlpipeError, match="boxes=yx is none"):
        judge("map,boxes=yx", labels, y=np.zeros((PICTURES, 9, 6)))
