"""What `--data` names, on the host's side."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlpipe.data import read_call
from dlpipe.errors import Unsupported, UserError


def test_a_folder_and_a_file(tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / "a.wav").touch()
    (tmp_path / "d.npz").write_bytes(b"")
    files, call = read_call(f"{tmp_path}/clips/")
    assert files == {"clips": tmp_path / "clips"}
    assert (call.toolchain, call.operation) == ("core", "read")
    assert call.params == {"entry": "clips", "limit": None, "seed": 0}
    files, call = read_call(str(tmp_path / "d.npz"), limit=5, seed=7)
    assert files == {"d.npz": tmp_path / "d.npz"}
    assert call.params == {"entry": "d.npz", "limit": 5, "seed": 7}


def test_the_current_folder_has_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.wav").touch()
    monkeypatch.chdir(tmp_path / "in")
    assert set(read_call(".")[0]) == {"in"}


def test_the_key_does_not_depend_on_where_the_data_lies(tmp_path: Path) -> None:
    for place in "ab":
        (tmp_path / place / "clips").mkdir(parents=True)
        (tmp_path / place / "clips" / "a.wav").touch()
    assert read_call(str(tmp_path / "a" / "clips"))[1] == read_call(str(tmp_path / "b" / "clips"))[1]


@pytest.mark.parametrize(
    ("name", "companion"),
    [
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
        ("train-images.idx3-ubyte", "train-labels.idx1-ubyte.gz"),
        ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte"),
        ("x_val.npy", "y_val.npy"),
        ("x.npy", "y.npy"),
    ],
)
def test_labels_beside_the_file_are_taken_too(tmp_path: Path, name: str, companion: str) -> None:
    for each in (name, companion, "other.npy"):
        (tmp_path / each).write_bytes(b"")
    assert set(read_call(str(tmp_path / name))[0]) == {name, companion}


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        read_call(str(tmp_path / "nothing.npz"))
    with pytest.raises(Unsupported, match="Python function"):
        read_call("package.module:function")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="is empty"):
        read_call(str(tmp_path / "empty"))
