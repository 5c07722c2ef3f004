"""What the user names as the model: refused before anything is copied, and taken with what belongs to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlpipe.errors import BadModel, UserError
from dlpipe.pipeline import source
from dlpipe.pipeline.store import Store

FRAMEWORKS = ("tensorflow", "onnx")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.mark.parametrize("spec", ["", "/dev/null", "/nowhere/model.pb", os.fsdecode(b"bad\xff.pb")])
def test_what_is_no_file_of_the_users(store: Store, spec: str) -> None:
    with pytest.raises(UserError):
        source.take(store, spec, FRAMEWORKS)


def test_a_framework_that_there_is_none_of(store: Store, tmp_path: Path) -> None:
    (tmp_path / "m.pb").write_bytes(b"x")
    with pytest.raises(UserError, match="no frontend is called 'torch'") as caught:
        source.take(store, f"torch:{tmp_path / 'm.pb'}", FRAMEWORKS)
    assert caught.value.hint == "there are: tensorflow, onnx"


def test_a_heap_of_files_is_not_copied(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MANY_FILES", 3)
    heap = tmp_path / "heap" / "below"
    heap.mkdir(parents=True)
    for number in range(4):
        (heap / f"{number}").touch()
    with pytest.raises(BadModel, match="more than 3 files"):
        source.take(store, str(heap.parent), FRAMEWORKS)


def test_weights_beside_an_onnx_file_are_taken_along(store: Store, tmp_path: Path) -> None:
    for name in ("m.onnx", "m.onnx.data", "labels.txt", "thesis.txt"):
        (tmp_path / name).write_text(name)
    taken = source.take(store, str(tmp_path / "m.onnx"), FRAMEWORKS)
    assert [file.name for file in store.tree(taken.tree).files] == ["labels.txt", "m.onnx", "m.onnx.data"]
