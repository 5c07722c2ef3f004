"""Pictures into inputs, against NumPy and Pillow, step by step."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.data import picture_call, prepare_call, read_call
from dlpipe.errors import DlpipeError
from dlpipe.ir.picture import parse_steps
from tests.conftest import Bench
from tests.data.bitmap import write_bmp, write_mask

X = (np.arange(2 * 4 * 6 * 3) * 37 % 256).astype(np.uint8).reshape(2, 4, 6, 3)
Prepare = Callable[..., Any]


@pytest.fixture
def prepare(bench: Bench, tmp_path: Path) -> Prepare:
    """prepare(steps, shape of the input, array ...) -> the input's array."""

    def run(steps: str, shape: list[Any], x: Any = X, *, y: Any = None, always: bool = True, **more: Any) -> Any:
        ir, data = tmp_path / "ir", tmp_path / "data"
        for folder in (ir, data):
            folder.mkdir(exist_ok=True)
        port = {"name": "in", "dtype": more.pop("dtype", "float32"), "shape": shape}
        (ir / "contract.json").write_text(json.dumps({"inputs": [port], "metadata": more.pop("metadata", {})}))
        np.savez(data / "samples.npz", x=x)
        labels = {"kind": "tensor", "labels": [0] * len(x), "items": ["a"] * len(x), **more}
        (data / "labels.json").write_text(json.dumps(labels))
        if y is not None:
            np.savez(data / "labels.npz", y=y)
        _, out = bench.run(picture_call("in", parse_steps(steps), always=always), ir=ir, data=data)
        with np.load(out / "samples.npz") as stored:
            found = dict(stored)
        found["labels"] = json.loads((out / "labels.json").read_text())
        if y is not None:
            with np.load(out / "labels.npz") as stored:
                found["y"] = stored["y"]
        return found

    return run


def test_colours_range_and_layout(prepare: Prepare) -> None:
    last = prepare("rgb", [1, 4, 6, 3])["in"]
    assert (last == X[:, None]).all()
    assert last.dtype == np.float32
    first = prepare("bgr,scale=1/255,mean=0.1:0.2:0.3,std=2", ["N", 3, 4, 6])["in"]
    expected = (X[..., ::-1] / 255 - [0.1, 0.2, 0.3]) / 2
    np.testing.assert_allclose(first[:, 0], np.moveaxis(expected, -1, 1), atol=1e-6)
    grey = prepare("grey", [1, 4, 6, 1])["in"][:, 0, ..., 0]
    np.testing.assert_allclose(grey, X @ [0.299, 0.587, 0.114], atol=0.5)
    three = prepare("grey", [1, 4, 6, 3])["in"]
    assert (three[..., 0] == three[..., 2]).all()


def test_axes(prepare: Prepare) -> None:
    assert (prepare("rgb", [1, 4, 6, 3], np.moveaxis(X, -1, 1))["in"][:, 0] == X).all()
    assert (prepare("axes=whc", [1, 4, 6, 3], X.swapaxes(1, 2))["in"][:, 0] == X).all()
    lying = np.moveaxis(X, -1, 1).reshape(X.shape)  # bytes of [3, 4, 6] called [4, 6, 3]
    assert (prepare("axes=flat-chw", [1, 4, 6, 3], lying)["in"][:, 0] == X).all()


def test_sizes(prepare: Prepare) -> None:
    cut = prepare("crop=2x4", [1, "h", "w", 3])["in"]
    assert (cut[:, 0] == X[:, 1:3, 1:5]).all()
    halved = prepare("resize=2x3,filter=box", [1, 2, 3, 3])["in"]
    np.testing.assert_allclose(halved[:, 0], X.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4)), atol=0.5)
    real = prepare("filter=box", [1, 2, 3, 3], X / 255)["in"]  # to the input's size, as floats
    np.testing.assert_allclose(real[:, 0], X.reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4)) / 255, atol=1e-6)
    assert prepare("resize=2,fit=cover", [1, "h", "w", 3])["in"].shape == (2, 1, 2, 3, 3)
    with pytest.raises(DlpipeError, match="comes out with 4 x 4 pixels, and the input takes 2 x 3"):
        prepare("crop=4x4", [1, 2, 3, 3])


def test_boxes_go_where_their_pictures_go(prepare: Prepare) -> None:
    """The picture is doubled to 8 x 12, and 1 pixel goes off at the top, 2 at the left."""
    found = prepare("resize=8x12,crop=6x8", [1, 6, 8, 3], truth="boxes", labels=[[[1, 1, 3, 2, 7, 0]], None])
    assert found["labels"]["labels"] == [[[0, 1, 4, 3, 7, 0]], None]
    assert found["labels"]["input_size"] == [6, 8]


def test_masks_go_where_their_pictures_go(prepare: Prepare) -> None:
    mask = np.arange(48, dtype=np.uint8).reshape(2, 4, 6)
    found = prepare("resize=8x12,crop=6x8,scale=1/255", [1, 6, 8, 3], y=mask, truth="array", labels=[True, True])
    assert (found["y"] == mask.repeat(2, axis=1).repeat(2, axis=2)[:, 1:7, 2:10]).all()
    values = prepare("resize=8x12", [1, 8, 12, 3], y=mask / 7, truth="array", labels=[True, True])
    assert (values["y"] == mask / 7).all()  # pictures to be made, and other arrays, are left alone


def test_masks_of_several_sizes_are_brought_to_one(bench: Bench, tmp_path: Path) -> None:
    """Read as a user has them, a picture and a mask each, and made for an input of 4 x 4."""
    masks = {"a": np.arange(64, dtype=np.uint8).reshape(8, 8), "b": np.arange(24, dtype=np.uint8).reshape(4, 6)}
    for name, mask in masks.items():
        write_bmp(tmp_path / "scenes" / "images" / f"{name}.bmp", mask[..., None].repeat(3, axis=2))
        write_mask(tmp_path / "scenes" / "masks" / f"{name}.png", mask)
    write_bmp(tmp_path / "scenes" / "images" / "untold.bmp", np.zeros((5, 7, 3), np.uint8))
    (tmp_path / "ir").mkdir()
    port = {"name": "in", "dtype": "float32", "shape": [1, 4, 4, 3]}
    (tmp_path / "ir" / "contract.json").write_text(json.dumps({"inputs": [port], "outputs": [], "metadata": {}}))
    _, call = read_call(str(tmp_path / "scenes"))
    _, data = bench.run(call, data=tmp_path)
    steps = parse_steps("resize=4x4,filter=nearest")
    _, out = bench.run(picture_call("in", steps, always=True), ir=tmp_path / "ir", data=data)
    with np.load(out / "labels.npz") as stored, np.load(out / "samples.npz") as fed:
        for index in range(2):
            assert (stored["y"][index] == fed["in"][index, 0, ..., 0]).all()
        assert len(np.unique(stored["y"][0])) == 16
    labels = json.loads((out / "labels.json").read_text())
    assert (labels["labels"], "mask_sizes" in labels) == ([True, True, None], False)
    shutil.copytree(data, tmp_path / "stacked")
    np.savez(tmp_path / "stacked" / "samples.npz", **{"in": np.zeros((3, 4, 4, 3), np.float32)})
    with pytest.raises(DlpipeError, match="the masks have several sizes"):  # where nothing brings them to one
        bench.run(prepare_call(3, 0, []), ir=tmp_path / "ir", data=tmp_path / "stacked")
    write_mask(tmp_path / "scenes" / "masks" / "b.png", masks["a"])
    write_mask(tmp_path / "scenes" / "masks" / "a.png", masks["b"])
    _, data = bench.run(call, data=tmp_path)
    with pytest.raises(DlpipeError, match="sizes, 2 of them not that of their picture, such as 4x6"):
        bench.run(picture_call("in", steps, always=True), ir=tmp_path / "ir", data=data)


def test_quantised_inputs(prepare: Prepare) -> None:
    known = {"quantisation": {"in": {"scale": 1 / 128, "zero_point": 0}}}
    signed = prepare("mean=127.5,std=127.5", [1, 4, 6, 3], dtype="int8", metadata=known)["in"]
    assert signed.dtype == np.int8
    np.testing.assert_allclose(signed[:, 0], X.astype(int) - 128, atol=1)
    assert (prepare("rgb", [1, 4, 6, 3], dtype="uint8")["in"][:, 0] == X).all()


def test_arrays_of_reals_are_taken_for_prepared(prepare: Prepare) -> None:
    assert (prepare("scale=1/255", [1, 4, 6, 3], X / 255, always=False)["x"] == X / 255).all()
    assert prepare("scale=1/255", [1, 4, 6, 3], always=False)["in"].max() == 1
