"""A model and what belongs to it, written among other models' files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlpipe.errors import UserError
from dlpipe.pipeline.model_file import check_place, write_ir
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
