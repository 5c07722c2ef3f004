"""docs/passes.md: what its figures and verdicts are made of, and what the page says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.comparison import costs, processor, pruning, summary, verdicts
from benchmarks.comparison.page import render
from benchmarks.comparison.records import Records
from benchmarks.comparison.words import BACKENDS, telling
from benchmarks.judge import detections
from dlpipe.errors import DlpipeError
from dlpipe.targets.registry import here

SETTINGS = {
    "models": {"net": {}, "gone": {}, "later": {}},
    "rounds": 30,
    "ours": ["int8", "dlpipe compress"],
    "competitors": {"ORT static": {"of": "ORT"}, "NNCF": {"of": "NNCF"}},
}


def test_what_is_lost_is_paired() -> None:
    found = verdicts.lost("top1", seen="0111", before="1110")
    assert (found["value"], found["only_before"], found["only_this"]) == (0.0, 1, 1)
    assert found["low"] < 0 < found["high"]
    assert verdicts.lost("top1", seen="0" * 50, before="1" * 50)["value"] == 100


def test_boxes_that_agree() -> None:
    same = [[2, 2, 2]] * 20
    assert verdicts.quality("detections", same)["value"] == 100
    half = [[2, 2, 1]] * 20
    assert verdicts.lost("detections", half, same) == {"value": 50.0, "low": 50.0, "high": 50.0}
    assert verdicts.quality("detections", [[0, 0, 0]])["value"] == 100  # nothing there, nothing found


def test_a_box_is_matched_once() -> None:
    box = np.array([[0.0, 0.0, 1.0, 1.0]])
    assert detections.matched(box, np.repeat(box, 3, axis=0)) == 1
    assert detections.matched(box, box + 0.9) == 0
    assert detections.matched(np.zeros((0, 4)), box) == 0


def test_boxes_below_the_score_or_over_one_another_are_not_found() -> None:
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0.9], [2, 2, 3, 3], [4, 4, 5, 5]], np.float32)
    scores = np.array([[0.1, 0.9], [0.0, 1.0], [0.2, 0.8], [0.5, 0.5]], np.float32)
    assert detections.decode(scores, boxes).tolist() == [boxes[1].tolist(), boxes[2].tolist()]


def test_a_ratio_is_of_the_rounds_they_shared() -> None:
    slow, fast = {"wall": [[2.0, 2.0], [4.0, 4.0]] * 5}, {"wall": [[1.0, 1.0], [2.0, 2.0]] * 5}
    assert verdicts.faster("wall", fast, slow) == {"value": 2.0, "low": 2.0, "high": 2.0}


def test_on_a_busy_machine_the_undisturbed_turns_count() -> None:
    slow = {"cpu": [[2.0, 9.0]] * 10 + [[7.0, 8.0]] * 10}
    fast = {"cpu": [[5.0, 6.0]] * 12 + [[4.0, 1.0]] * 8}
    assert verdicts.faster("cpu", fast, slow)["value"] == 2.0


@pytest.mark.parametrize(("low", "high", "word"), [(0.1, 0.5, "worse"), (-0.5, -0.1, "better"), (-0.1, 0.1, "equal")])
def test_losing_more_is_worse(low: float, high: float, word: str) -> None:
    assert word in _goal(against={"lost": _figure((low + high) / 2, low, high), "faster": _figure(1.0, 0.9, 1.1)})


@pytest.mark.parametrize(("low", "high", "word"), [(0.7, 0.9, "worse"), (1.1, 1.3, "better"), (0.9, 1.1, "equal")])
def test_being_slower_is_worse(low: float, high: float, word: str) -> None:
    line = _goal(against={"lost": _figure(0.0, -0.1, 0.1), "faster": _figure((low + high) / 2, low, high)})
    assert word in line.rsplit("|", 2)[1]


def test_each_backend_is_compared_with_what_compress_made_for_it() -> None:
    record = _record(against={"lost": _figure(0.0, -0.1, 0.1), "faster": _figure(1.0, 0.9, 1.1)})
    rows, other = record["candidates"], record["candidates"]["ORT static"]
    for points, (backend, title) in enumerate(BACKENDS.items(), 3):
        name = f"dlpipe compress for {title}"
        found = {**other["backends"]["onnxruntime"], "lost": _figure(points, points, points)}
        rows[name] = {**rows["int8"], "group": "compress", "backends": {backend: found}}
        against = {name: {"lost": _figure(points, -9, 9), "faster": _figure(1.0, 0.9, 1.1)}}
        other["backends"][backend] = {**other["backends"]["onnxruntime"], "against": against}
    *_, goal = summary.sections({"net": record}, SETTINGS)
    of_compress = goal.partition("`dlpipe compress`")[2]
    assert "| net | ORT | no (3.00±0.00) | equal: 3.00" in of_compress
    assert "| net | OV | no (4.00±0.00) | equal: 4.00" in of_compress


def test_the_page_says_what_was_not_run(tmp_path: Path) -> None:
    record = _record(against={"lost": _figure(0.0, -0.1, 0.1), "faster": _figure(1.0, 0.9, 1.1)})
    record["candidates"]["int4"] = {"group": "pass", "of": "dlpipe", "backends": {}, "reason": "no MatMul here"}
    gone = {"title": "Gone", "reason": "there is no gone.onnx"}
    page = render({"net": record, "gone": gone}, SETTINGS, tmp_path)
    assert "Machine: this one; everybody has all 8 bits of weights." in page
    assert "- int4: no MatMul here (net)" in page
    assert "- the whole model: not run yet: name it with --only (later)" in page
    assert "- the whole model: there is no gone.onnx (gone)" in page
    assert "| net | 400 | 1.00±0.50, 2.00x | - | 1.00±0.50, 2.00x | - |" in page


def test_rows_of_two_machines_are_not_mixed_silently(tmp_path: Path) -> None:
    here = _record(against={"lost": _figure(0.0, -0.1, 0.1), "faster": _figure(1.0, 0.9, 1.1)})
    page = render({"net": here, "later": {**here, "machine": "that one"}}, SETTINGS, tmp_path)
    assert "**The rows are not of one machine**" in page
    assert "- that one: later (everybody has all 8 bits of weights)" in page
    assert "| later | 400 | 1.00±0.50, 2.00x | - | 1.00±0.50, 2.00x | - | 2026-11-27, that one |" in page
    assert "(load 0.1) on that one, 3 minutes in all." in page
    assert "not of one machine" not in render({"net": here}, SETTINGS, tmp_path)


def test_the_page_says_how_everybody_was_set_up_for_the_processor(tmp_path: Path) -> None:
    record = _record(against={"lost": _figure(0.0, -0.1, 0.1), "faster": _figure(1.0, 0.9, 1.1)})
    narrow = {**record, "integers": {"target": "x86-64-v3", "options": {"weights": "int7"}}}
    page = render({"net": narrow}, SETTINGS, tmp_path)
    assert "Machine: this one; `x86-64-v3`, no VNNI" in page
    assert "all 8 bits" not in page


def test_weights_are_narrow_where_this_processor_says_so() -> None:
    found = processor.integers()
    mine = here()
    assert found["target"] == (mine.name if mine else "")
    flags = set(mine.isa) if mine else set()
    if "avx2" in flags:
        assert processor.narrow(found["options"]) == flags.isdisjoint({"avx_vnni", "avx512_vnni"})


def test_what_is_missing_on_this_machine(tmp_path: Path) -> None:
    records = Records(tmp_path / "results" / "table.json")
    assert records.missing(["net", "gone"], "this one") == ["net", "gone"]
    records.keep("net", {"candidates": {}, "machine": "this one"})
    records.keep("gone", {"reason": "no file", "machine": "this one"})
    assert records.missing(["net", "gone"], "this one") == ["gone"]
    assert records.missing(["net", "gone"], "that one") == ["net", "gone"]
    records.keep("net", {"reason": "it crashed", "machine": "this one"})
    assert "candidates" in records.all()["net"]
    older = tmp_path / "older.json"
    older.write_text(json.dumps({"machine": "that one", "models": {"net": {"candidates": {}}}}))
    assert Records(older).all()["net"]["machine"] == "that one"


def test_what_calibration_and_passes_need_is_shown_where_it_was_measured(tmp_path: Path) -> None:
    assert list(costs.sections(tmp_path)) == []
    times = {"ours": 1.5, "ours, ends only": 1.8, "stock MinMax": 2.5, "stock Entropy": 8.0}
    measured = {"date": "2026-11-28T12:00:00+00:00", "machine": "this one", "load": 0.5}
    record = {
        **measured,
        "peak": {"10": 200_000_000, "10000": 201_000_000},
        "beyond": {"ours": 40_000_000, "stock MinMax": 300_000_000, "stock Entropy": 400_000_000},
        "times": {"one by one": times, "in batches": {**times, "ours": 1.25}},
    }
    calibration = {"models": {"net": record}, "stock_samples": 100, "timed": 200}
    (tmp_path / costs.CALIBRATION).write_text(json.dumps(calibration))
    passed = {"modified": False, "unit": 10.0, "seconds": 15.0, "worker": 300 << 20, "host": 90 << 20, "load": 0.25}
    memory = {**measured, "gigabytes": 8.0, "weights": 120, "laid_out": 4.0, "passes": {"clean": passed}}
    (tmp_path / costs.MEMORY).write_text(json.dumps(memory))
    first, second = costs.sections(tmp_path)
    assert "| net | 200.0 | 201.0 | 1.005 | 40.0 | 300.0 | 400.0 | 1.50 | 1.25 | 1.80 | 2.50 | 8.00 | 2026-" in first
    assert "8 GB of weights (120)" in second
    assert "| clean | no | 10.0 | 15.0 | 1.50 | 300 | 90 | 0.2 |" in second


def test_pruning_is_shown_where_it_was_run(tmp_path: Path) -> None:
    file = tmp_path / "fashion_pruning.json"
    assert list(pruning.sections(file)) == []
    accuracy = {"value": 0.9, "ci95": [0.89, 0.91], "n": 10_000}
    half = {
        "accuracy": accuracy,
        "drop": {"points": 0.5, "ci95": [0.2, 0.8]},
        "macs": {"before": 100, "after": 49},
        "gzip_bytes": 2000,
    }
    record = {
        "data": {"training_images": 60_000, "test_images": 10_000},
        "tools": {"trained_on": "a GPU"},
        "machine": {"cpu": "a CPU", "load": 0.0},
        "models": {"original": {"accuracy": accuracy, "gzip_bytes": 4000}, "channels-50": half},
        "latency": {"batch_1": {"channels-50": {"speedup": 1.8, "ci95": [1.7, 1.9]}}, "batch_32": {}},
    }
    file.write_text(json.dumps(record))
    (section,) = pruning.sections(file)
    assert "| channels-50 | 49.0 | - | 2 | 90.00 | 0.50±0.30 | 1.80±0.10 | - |" in section
    assert "| original | 100 | - | 4 | 90.00 | - | - | - |" in section


def test_the_line_that_says_what_happened() -> None:
    places = "Exception from src/core.cpp:84:\nCheck 'false' failed at src/report.cpp:151:\n"
    assert telling(DlpipeError(f"RuntimeError: {places}no operation X")) == "no operation X"
    assert telling(DlpipeError("no kernel for Conv(22) node with name 'a/b'")) == "no kernel for Conv(22)"


def _goal(against: dict[str, Any]) -> str:
    *_, goal = summary.sections({"net": _record(against)}, SETTINGS)
    return next(line for line in goal.splitlines() if line.startswith("| net | ORT |"))


def _record(against: dict[str, Any]) -> dict[str, Any]:
    found = {
        "quality": _figure(90, 88, 92),
        "lost": _figure(1, 0.5, 1.5),
        "faster": _figure(2, 1.9, 2.1),
    }
    row = {"bytes": 1000, "seconds": 1.0, "macs": 10, "nodes": 3, "of": "dlpipe", "group": "recipe"}
    other = {
        **row,
        "of": "ORT",
        "group": "competitor",
        "backends": {"onnxruntime": {**found, "against": {"int8": against}}},
    }
    return {
        "title": "A net",
        "framework": "onnx",
        "original": None,
        "published": "nowhere",
        "n": 400,
        "calibration": 20,
        "date": "2026-11-27T06:00:00+00:00",
        "clock": "wall",
        "load": 0.1,
        "machine": "this one",
        "seconds": {"made": 60.0, "judged and timed": 120.0},
        "versions": {"onnxruntime": "1", "openvino": "2"},
        "candidates": {
            "fp32": {**row, "group": "fp32", "backends": {"onnxruntime": found}},
            "int8": {**row, "backends": {"onnxruntime": found}},
            "ORT static": other,
        },
    }


def _figure(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}
