"""Labels that stand in a file beside the samples: boxes, transcripts."""

from __future__ import annotations

import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.data import read_call
from dlpipe.errors import DlpipeError
from tests.conftest import Bench
from tests.data.bitmap import write_bmp, write_mask
from tests.data.conftest import Read

Labels = dict[str, Any]
COCO = {
    "images": [
        {"id": 7, "file_name": "b.bmp", "width": 6, "height": 4},
        {"id": 3, "file_name": "train/a.bmp", "width": 6, "height": 4},
        {"id": 9, "file_name": "elsewhere.bmp", "width": 1, "height": 1},
    ],
    "annotations": [
        {"id": 1, "image_id": 3, "category_id": 18, "bbox": [1, 2, 3, 1.5], "iscrowd": 0},
        {"id": 2, "image_id": 3, "category_id": 2, "bbox": [0, 0, 6, 4], "iscrowd": 1},
        {"id": 3, "image_id": 9, "category_id": 2, "bbox": [0, 0, 1, 1]},
    ],
    "categories": [{"id": 18, "name": "dog"}, {"id": 2, "name": "bicycle"}],
}


@pytest.fixture
def pictures(bench: Bench, tmp_path: Path) -> Callable[[object], Labels]:
    """pictures(COCO file) -> labels.json of a.bmp, b.bmp and c.bmp beside it."""

    def run(table: object, **more: object) -> Labels:
        folder = tmp_path / "pictures"
        for name in ("train/a.bmp", "b.bmp", "c.bmp"):
            write_bmp(folder / name, np.zeros((4, 6, 3), np.uint8))
        for name, each in {"instances.json": table, "other.json": {"version": 1}, **more}.items():
            (folder / name).write_text(json.dumps(each))
        _, call = read_call(str(folder))
        _, out = bench.run(call, data=tmp_path)
        return dict(json.loads((out / "labels.json").read_text()))

    return run


def test_boxes_beside_pictures(pictures: Callable[..., Labels]) -> None:
    found = pictures(COCO)
    assert (found["truth"], found["names"]) == ("boxes", ["bicycle", "dog"])
    assert found["items"] == ["b.bmp", "train/a.bmp"]  # the file names no c.bmp
    assert found["labels"] == [[], [[1, 2, 4, 3.5, 1, 0], [0, 0, 6, 4, 0, 1]]]
    assert found["input_size"] == [4, 6]


@pytest.mark.parametrize(
    ("table", "more", "message"),
    [
        ({**COCO, "annotations": [{"image_id": 3, "category_id": 5, "bbox": [0, 0, 1, 1]}]}, {}, "KeyError: 5"),
        ({**COCO, "annotations": [{"image_id": 3, "category_id": 2, "bbox": [0, 1]}]}, {}, "no whole COCO file"),
        ({"images": [], "annotations": []}, {}, "names none of the pictures"),
        (COCO, {"val.json": COCO}, "several files hold boxes: instances.json, val.json"),
    ],
)
def test_damaged_boxes(pictures: Callable[..., Labels], table: object, more: Any, message: str) -> None:
    with pytest.raises(DlpipeError, match=message):
        pictures(table, **more)


def clip(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(bytes(200))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("texts.csv", "file,text\none.wav,hello there\ntwo.wav,good bye\n"),
        ("validated.tsv", "client\tpath\tsentence\nx\tclips/two.wav\tgood bye\ny\tclips/one.wav\thello there\n"),
        ("metadata.csv", "id|transcript\none|hello there\ntwo|good bye\n"),
    ],
)
def test_transcripts_beside_clips(tmp_path: Path, read: Read, name: str, text: str) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    for each in ("one.wav", "two.wav", "untold.wav"):
        clip(folder / each)
    (folder / name).write_text(text)
    found = read(folder).labels
    assert (found["truth"], found["labels"]) == ("text", ["hello there", "good bye", None])


def test_a_table_of_something_else_is_left_alone(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    clip(folder / "one.wav")
    (folder / "notes.csv").write_text("date,weather\n2026-01-01,rain\n")
    assert read(folder).labels["labels"] == [None]
    (folder / "texts.csv").write_text("file,text\nanother.wav,hello\n")
    assert "names none of the files" in read(folder).refusal


def test_texts_in_a_table(tmp_path: Path, read: Read) -> None:
    (tmp_path / "d.csv").write_text("a,b,sentence\n1,2,two words\n3,4,\n")
    found = read(tmp_path / "d.csv").labels
    assert (found["truth"], found["labels"]) == ("text", ["two words", ""])


def test_masks_are_arrays_of_their_own(tmp_path: Path, read: Read) -> None:
    masks = np.arange(3 * 4 * 5).reshape(3, 4, 5) % 7
    np.savez(tmp_path / "d.npz", x=np.zeros((3, 4, 5, 3), np.uint8), y=masks)
    found = read(tmp_path / "d.npz")
    assert (found.labels["truth"], found.labels["labels"]) == ("array", [True] * 3)
    with np.load(found.out / "labels.npz") as stored:
        assert (stored["y"] == masks).all()


def test_masks_beside_pictures(bench: Bench, tmp_path: Path) -> None:
    masks = (np.arange(2 * 4 * 6) % 5).astype(np.uint8).reshape(2, 4, 6)
    folder = tmp_path / "scenes"
    for name in ("a", "b", "untold"):
        write_bmp(folder / "images" / f"{name}.bmp", np.zeros((4, 6, 3), np.uint8))
    for name, mask in zip("ab", masks, strict=True):
        write_mask(folder / "masks" / f"{name}.png", mask)
    _, call = read_call(str(folder))
    value, out = bench.run(call, data=tmp_path)
    labels = json.loads((out / "labels.json").read_text())
    assert labels["items"] == ["images/a.bmp", "images/b.bmp", "images/untold.bmp"]
    assert (labels["truth"], labels["labels"], value["labelled"]) == ("array", [True, True, None], 2)
    with np.load(out / "labels.npz") as stored:
        assert (stored["y"][:2] == masks).all()
    write_bmp(folder / "masks" / "a.png", np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(DlpipeError, match="holds colours"):
        bench.run(call, data=tmp_path)
