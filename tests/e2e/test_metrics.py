"""Labels that are no classes, and the metric that suits them, from the user's file to the report."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Bench
from tests.data.bitmap import write_bmp
from tests.e2e.user import User

LINE = """<ir_version: 8, opset_import: ["" : 17]>
line (float[n, 2] x) => (float[n, 1] y) <float[2, 1] w = {1.0, SLOPE}> { y = MatMul(x, w) }"""


@pytest.fixture
def lines(bench: Bench, settled_user: User) -> tuple[Path, Path, Path]:
    """Two models that differ by 0.1 in a weight, and samples with real numbers for labels: the first one's answers, off
    by 0.2 up and down."""
    x = np.linspace(-1, 1, 80, dtype=np.float32).reshape(40, 2)
    y = x @ np.array([1.0, 0.5]) + 0.2 * np.where(np.arange(40) % 2, 1, -1)
    np.savez(settled_user.folder / "line.npz", x=x, y=y)
    models = [bench.build(LINE.replace("SLOPE", slope)) / "model.onnx" for slope in ("0.5", "0.6")]
    return models[0], models[1], settled_user.folder / "line.npz"


def test_real_numbers_are_judged_by_their_error(lines: tuple[Path, Path, Path], settled_user: User) -> None:
    first, second, data = lines
    done = settled_user.dlpipe("compare", first, second, "--data", data, "--json")
    assert done.code == 3  # their outputs differ
    original, found = done.json["reference_accuracy"], done.json["accuracy"]
    assert (found["metric"], found["better"], found["n"]) == ("rmse", "lower", 40)
    assert original["value"] == pytest.approx(0.2, abs=1e-6)
    x1 = np.linspace(-1, 1, 80, dtype=np.float32)[1::2]
    off = 0.1 * x1 - 0.2 * np.where(np.arange(40) % 2, 1, -1)
    assert found["value"] == pytest.approx(float(np.sqrt((off**2).mean())), abs=1e-6)
    assert found["drop"] == pytest.approx(found["value"] - original["value"])
    told = settled_user.dlpipe("compare", first, second, "--data", data, "--metric", "mae").out
    assert "mae of A" in told
    assert "0.2000" in told
    wrong = settled_user.dlpipe("compare", first, second, "--data", data, "--metric", "top-1")
    assert (wrong.code, "needs samples with a class each" in wrong.err) == (2, True), wrong.err


def test_a_conversion_is_gated_and_told_by_its_metric(lines: tuple[Path, Path, Path], settled_user: User) -> None:
    first, _, data = lines
    more = ("--backend", "onnxruntime", "--precision", "fp32", "--metric", "mae", "--max-accuracy-drop", "0.001")
    done = settled_user.ok("convert", first, "-t", "x86-64", "--data", data, *more, "-o", "line")
    assert "the original's mae: 0.2000 of 40" in " ".join(done.out.split())
    assert "mae loss" in done.out
    gates = settled_user.ok("report", "line", "--format", "json").json["gates"]
    gate = next(each for each in gates if each["name"] == "max-accuracy-drop")
    assert (gate["passed"], gate["limit"], gate["unit"]) == (True, 0.001, None)
    assert gate["reason"].startswith("mae: drop 0 on 40 samples")
    assert "mae lost" in (settled_user.folder / "line" / "report.html").read_text()


FINDER = """<ir_version: 8, opset_import: ["" : 17]>
finder (float[n, 3, 10, 10] x) => (float[1, 2, 6] y) {
  zero = Constant<value = float {0.0}>()
  whole = ReduceMax<keepdims = 0>(x)
  nothing = Mul(whole, zero)
  found = Constant<value = float[1, 2, 6] {1.0, 2.0, 5.0, 8.0, 0.9, 0.0, 0.0, 0.0, 10.0, 10.0, 0.1, 0.0}>()
  y = Add(found, nothing)
}"""


def test_boxes_follow_their_pictures(bench: Bench, settled_user: User) -> None:
    """Pictures of two sizes are brought to that of the input; the boxes of their labels are moved with them, to where
    the model finds them."""
    folder = settled_user.folder / "things"
    write_bmp(folder / "a.bmp", np.zeros((20, 40, 3), np.uint8))
    write_bmp(folder / "b.bmp", np.zeros((30, 10, 3), np.uint8))
    table = {
        "images": [
            {"id": 1, "file_name": "a.bmp", "width": 40, "height": 20},
            {"id": 2, "file_name": "b.bmp", "width": 10, "height": 30},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [4, 4, 16, 12]},
            {"id": 2, "image_id": 2, "category_id": 1, "bbox": [1, 6, 4, 18]},
        ],
        "categories": [{"id": 1, "name": "thing"}],
    }
    (folder / "boxes.json").write_text(json.dumps(table))
    model = bench.build(FINDER) / "model.onnx"
    done = settled_user.ok("compare", model, model, "--data", folder, "--preprocess", "rgb", "--json").json
    found = done["reference_accuracy"]
    assert (found["metric"], found["value"], found["n"]) == ("map", 1.0, 2)


OWN = """from humanize import intcomma  # of the requirements


def late(outputs, labels):
    said = outputs["y"].reshape(-1) - labels
    return [float(intcomma(int(each > 0.2 + 1e-6)).replace(",", "")) for each in said]
"""


def test_a_metric_of_the_users_own(lines: tuple[Path, Path, Path], settled_user: User) -> None:
    first, second, data = lines
    (settled_user.folder / "mine.py").write_text(OWN)
    (settled_user.folder / "needs.txt").write_text("# for the figures\nhumanize==4.12.3\n")
    ask = ("compare", first, second, "--data", data, "--requirements", "needs.txt", "--json", "--metric")
    found = settled_user.dlpipe(*ask, "mine:late,better=lower,unit=fraction").json["accuracy"]
    x1 = np.linspace(-1, 1, 80, dtype=np.float32)[1::2]
    late = 0.1 * x1 - 0.2 * np.where(np.arange(40) % 2, 1, -1) > 0.2 + 1e-6
    assert (found["metric"], found["value"]) == ("mine:late", pytest.approx(late.mean()))
    assert found["drop"] == pytest.approx(100 * late.mean())
    assert "--requirements goes with" in settled_user.dlpipe(*ask, "mae").out


def test_numbers_that_are_no_answers_do_not_end_a_run(lines: tuple[Path, Path, Path], settled_user: User) -> None:
    """Two numbers a sample, where the model gives one: the accuracy is unknown, and the report says why."""
    first, _, data = lines
    with np.load(data) as stored:
        np.savez(settled_user.folder / "two.npz", x=stored["x"], y=np.stack([stored["y"], stored["y"]], axis=1))
    ask = ("compile", first, "-t", "x86-64", "-b", "onnxruntime", "--data", settled_user.folder / "two.npz")
    assert "the labels do not suit rmse" in " ".join(settled_user.ok(*ask, "-o", "two").out.split())
    done = settled_user.dlpipe(*ask, "--metric", "rmse", "-o", "two-asked")
    assert (done.code, "1 numbers per sample, and the labels have 2" in done.err) == (2, True), done.err
