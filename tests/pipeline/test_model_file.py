"""A model and what belongs to it, written among other models' files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.model_file import check_onnx_place, check_place, write_ir
from dlpipe.pipeline.store import Store

CONTRACT = {"version": "dlpipe.io/1", "inputs": [], "outputs": [], "preprocessing": []}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def large(store: Store, folder: Path, weights: str) -> str:
    """A model whose weights are in a file of their own."""
    folder.mkdir()
    (folder / "model.onnx").write_text(f"model of {weights}")
    (folder / "model.onnx.data").write_text(weights)
    (folder / "contract.json").write_text(json.dumps(CONTRACT))
    return store.ingest(folder).digest


def test_weights_of_another_model_are_never_replaced(store: Store, tmp_path: Path) -> None:
    first, second = (large(store, tmp_path / name, name) for name in ("first", "second"))
    out = tmp_path / "out"
    out.mkdir()
    write_ir(store, first, out / "a.onnx")
    before = {each.name: each.read_bytes() for each in out.iterdir()}
    assert set(before) == {"a.onnx", "a.contract.json", "model.onnx.data"}
    for name in ("a.onnx", "b.onnx", "model.onnx"):
        with pytest.raises(UserError, match="another model") as caught:
            write_ir(store, second, out / name)
        assert "another folder" in (caught.value.hint or "")
    assert {each.name: each.read_bytes() for each in out.iterdir()} == before
    write_ir(store, first, out / "again.onnx")
    assert (out / "model.onnx.data").read_text() == "first"


def test_a_model_in_the_place_of_weights(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        check_place(tmp_path / "model.onnx.data")


def test_files_in_folders_keep_their_folder(store: Store, tmp_path: Path) -> None:
    made = tmp_path / "made"
    (made / "training" / "1-fine-tune").mkdir(parents=True)
    (made / "training" / "1-fine-tune" / "events").write_text("log")
    (made / "model.onnx").write_text("model")
    (made / "contract.json").write_text(json.dumps(CONTRACT))
    write_ir(store, store.ingest(made).digest, tmp_path / "small.onnx")
    assert (tmp_path / "small.training" / "1-fine-tune" / "events").read_text() == "log"
    assert (tmp_path / "small.onnx").read_text() == "model"


def test_the_place_of_a_pipe_and_a_folder_that_takes_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for out in (tmp_path / "pipe", Path("/dev/null"), Path("/proc/model.onnx")):
        with pytest.raises(UserError):
            check_place(out)
    check_place(tmp_path / "model.onnx")
    assert [each.name for each in tmp_path.iterdir()] == ["pipe"]


def test_texts_go_beside_the_model(store: Store, tmp_path: Path) -> None:
    tree = large(store, tmp_path / "made", "weights")
    write_ir(store, tree, tmp_path / "a.onnx", {"report.json": "{}"})
    assert (tmp_path / "a.report.json").read_text() == "{}"


@pytest.mark.parametrize("name", ["small.tflite", "small", "small.onnx.gz"])
def test_a_name_that_promises_another_format_is_refused(tmp_path: Path, name: str) -> None:
    check_onnx_place(tmp_path / "small.onnx")
    with pytest.raises(UserError, match="an ONNX file") as caught:
        check_onnx_place(tmp_path / name)
    assert caught.value.hint is not None
    assert caught.value.hint.endswith(".onnx")


def test_all_files_are_written_or_none(store: Store, tmp_path: Path) -> None:
    tree = large(store, tmp_path / "made", "weights")
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UnicodeEncodeError):
        write_ir(store, tree, out / "a.onnx", {"report.json": "\ud800"})
    assert not list(out.iterdir())
    write_ir(store, tree, out / "a.onnx")
    assert sorted(each.name for each in out.iterdir()) == ["a.contract.json", "a.onnx", "model.onnx.data"]
