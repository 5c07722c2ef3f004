"""Data sets that are arrays: NumPy, IDX and CSV files."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data.conftest import Read

X = np.arange(24, dtype=np.float32).reshape(4, 2, 3)
Y = np.array([1, 0, 2, 1])


def npy(array: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.asanyarray(array), **options)
    return stream.getvalue()


def idx(array: Any, kind: int) -> bytes:
    return bytes([0, 0, kind, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_real_mnist(shared: Path, read: Read) -> None:
    answer = read(shared / "models" / "mnist_t10k" / "t10k-images-idx3-ubyte.gz")
    assert answer.value == {"kind": "tensor", "count": 10_000, "of": 10_000, "labelled": 10_000, "names": None}
    x = answer.arrays["x"]
    assert (x.shape, x.dtype) == ((10_000, 28, 28), np.uint8)
    with gzip.open(shared / "models" / "mnist_t10k" / "t10k-images-idx3-ubyte.gz") as file:
        assert x.tobytes() == file.read()[16:]
    assert answer.labels["labels"][:10] == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]  # the data set's well-known beginning
    chosen = read(shared / "models" / "mnist_t10k", limit=100, seed=3)
    indices = [int(item.split()[1]) for item in chosen.labels["items"]]
    assert indices == sorted(indices)
    assert (chosen.arrays["x"] == x[indices]).all()
    assert chosen.labels["labels"] == [answer.labels["labels"][index] for index in indices]


@pytest.mark.parametrize("order", ["C", "F"])
def test_npz_with_x_and_y(tmp_path: Path, read: Read, order: Any) -> None:
    np.savez_compressed(tmp_path / "d.npz", x=np.array(X, order=order), y=Y)
    answer = read(tmp_path / "d.npz")
    assert answer.value == {"kind": "tensor", "count": 4, "of": 4, "labelled": 4, "names": None}
    assert list(answer.arrays) == ["x"]
    assert (answer.arrays["x"] == X).all()
    assert answer.labels["labels"] == [1, 0, 2, 1]


def test_the_same_data_gives_the_same_bytes(tmp_path: Path, read: Read) -> None:
    np.savez(tmp_path / "d.npz", x=X.astype(">f4"), y=Y)
    one, two = read(tmp_path / "d.npz"), read(tmp_path / "d.npz")
    assert (one.out / "samples.npz").read_bytes() == (two.out / "samples.npz").read_bytes()
    assert one.arrays["x"].dtype == np.dtype("=f4")


def test_npz_by_input_name(tmp_path: Path, read: Read) -> None:
    np.savez(tmp_path / "d.npz", ids=X, mask=Y)
    answer = read(tmp_path / "d.npz")
    assert sorted(answer.arrays) == ["ids", "mask"]
    assert answer.value["labelled"] == 0


def test_npz_of_keras_uses_the_test_part(tmp_path: Path, read: Read) -> None:
    np.savez(tmp_path / "d.npz", x_train=X[:1], y_train=Y[:1], x_test=X, y_test=Y)
    assert (read(tmp_path / "d.npz").arrays["x"] == X).all()


def test_npy_with_labels_beside_it(tmp_path: Path, read: Read) -> None:
    np.save(tmp_path / "x_val.npy", X)
    assert read(tmp_path / "x_val.npy").value["labelled"] == 0
    np.save(tmp_path / "y_val.npy", np.array(["b", "a", "b", "a"]))
    np.save(tmp_path / "unrelated.npy", X)
    answer = read(tmp_path / "x_val.npy")
    assert answer.labels["names"] == ["a", "b"]
    assert answer.labels["labels"] == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("y", "labels"),
    [
        (np.eye(3)[[1, 0, 2, 1]], [1, 0, 2, 1]),
        (Y.reshape(4, 1).astype(np.float64), [1, 0, 2, 1]),
        (np.array([1, -1, 2, 1]), [1, None, 2, 1]),
        (np.array([True, False, True, True]), [1, 0, 1, 1]),
        (np.array([0.5, 1.5, 2.0, 1.0]), [0.5, 1.5, 2.0, 1.0]),
        (np.array([5, -3, 2, 1]), [5, -3, 2, 1]),
        (np.array([0.5, np.nan, 2.0, 1.0]), [0.5, None, 2.0, 1.0]),
    ],
)
def test_ways_to_write_labels(tmp_path: Path, read: Read, y: Any, labels: list[float | None]) -> None:
    np.savez(tmp_path / "d.npz", x=X, y=y)
    answer = read(tmp_path / "d.npz")
    assert answer.labels["labels"] == labels
    assert not answer.notes


def test_pickles_are_never_loaded(tmp_path: Path, read: Read) -> None:
    evil = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "x.npy", evil, allow_pickle=True)
    np.savez(tmp_path / "d.npz", x=X[:1], y=evil)
    assert "pickled" in read(tmp_path / "x.npy").refusal
    assert "pickled" in read(tmp_path / "d.npz").refusal


def test_a_file_longer_or_shorter_than_it_says_is_refused(tmp_path: Path, read: Read) -> None:
    (tmp_path / "x.npy").write_bytes(npy(X) + b"more")
    assert "longer than its header says" in read(tmp_path / "x.npy").refusal
    (tmp_path / "x.npy").write_bytes(npy(X)[:-1])
    assert "ends early" in read(tmp_path / "x.npy").refusal
    np.savez(tmp_path / "d.npz", x=X, y=Y[:3])
    assert "different numbers" in read(tmp_path / "d.npz").refusal


def test_bombs_are_refused_by_what_they_declare(tmp_path: Path, read: Read) -> None:
    header = npy(np.empty((0, 1)))[:128].replace(b"(0, 1)", b"(10**9,)"[:6])
    (tmp_path / "x.npy").write_bytes(header)
    assert read(tmp_path / "x.npy").refusal
    huge = npy(np.empty((0, 1000, 1000, 1000), np.uint8)).replace(b"(0, 1000, ", b"(9999999, ")
    (tmp_path / "x.npy").write_bytes(huge)
    assert "more than can be read" in read(tmp_path / "x.npy").refusal
    with zipfile.ZipFile(tmp_path / "d.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(np.zeros((2, 2))) + bytes(50 << 20))  # unpacks to more than it declares
    assert "longer than its header says" in read(tmp_path / "d.npz").refusal
    (tmp_path / "bomb-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**31, 2**31, 2**31))
    assert "more than can be read" in read(tmp_path / "bomb-images-idx3-ubyte").refusal


@pytest.mark.parametrize(("kind", "dtype"), [(0x08, ">u1"), (0x0B, ">i2"), (0x0D, ">f4")])
def test_idx_of_all_types(tmp_path: Path, read: Read, kind: int, dtype: str) -> None:
    (tmp_path / "my-images.idx3").write_bytes(idx(X.astype(dtype), kind))
    answer = read(tmp_path / "my-images.idx3")
    assert (answer.arrays["x"] == X).all()
    assert answer.value["labelled"] == 0
    (tmp_path / "my-labels.idx1.gz").write_bytes(gzip.compress(idx(Y.astype(np.uint8), 8)))
    assert read(tmp_path / "my-images.idx3").labels["labels"] == [1, 0, 2, 1]


def test_two_pairs_in_a_folder_are_ambiguous(tmp_path: Path, read: Read) -> None:
    for name in ("train", "t10k"):
        (tmp_path / "d").mkdir(exist_ok=True)
        (tmp_path / "d" / f"{name}-images-idx3-ubyte").write_bytes(idx(X.astype(np.uint8), 8))
    assert "t10k-images-idx3-ubyte, train-images-idx3-ubyte" in read(tmp_path / "d").refusal


def test_csv_with_a_header(tmp_path: Path, read: Read) -> None:
    (tmp_path / "d.csv").write_text("﻿a;Label;b\n1;yes;2.5\n\n3;no;-4e1\n", encoding="utf-8")
    answer = read(tmp_path / "d.csv")
    assert answer.arrays["x"].tolist() == [[1, 2.5], [3, -40]]
    assert answer.arrays["x"].dtype == np.float32
    assert (answer.labels["names"], answer.labels["labels"]) == (["no", "yes"], [1, 0])


def test_csv_without_one(tmp_path: Path, read: Read) -> None:
    (tmp_path / "d.csv").write_text("1,2\n3,4\n")
    answer = read(tmp_path / "d.csv")
    assert answer.arrays["x"].tolist() == [[1, 2], [3, 4]]
    assert answer.labels["labels"] == [None, None]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n3,x\n", "line 3, column 2: 'x' is not a number"),
        ("1,2\n3,nan\n", "line 2, column 2"),
        ("1,2\n3\n", "line 2: 1 columns"),
        ("", "no lines"),
        ("a,b\n", "no samples"),
    ],
)
def test_csv_that_is_wrong_is_told_by_line(tmp_path: Path, read: Read, text: str, says: str) -> None:
    (tmp_path / "d.csv").write_text(text)
    assert says in read(tmp_path / "d.csv").refusal


def test_what_is_no_data_set_is_said(tmp_path: Path, read: Read) -> None:
    (tmp_path / "d.bin").write_bytes(b"anything")
    assert "no data set" in read(tmp_path / "d.bin").refusal
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "readme.txt").write_text("x")
    assert "no data set" in read(tmp_path / "empty").refusal


@given(data=st.data(), form=st.sampled_from(["npy", "npz", "idx", "idx.gz", "csv"]))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_mutation_is_read_or_refused(tmp_path: Path, read: Read, data: st.DataObject, form: str) -> None:
    path = tmp_path / f"d.{form}"
    if form == "npz":
        np.savez_compressed(path, x=X, y=Y)
    else:
        packed = idx(X.astype(np.uint8), 8)
        made = {"npy": npy(X), "idx": packed, "idx.gz": gzip.compress(packed), "csv": b"a,label\n1,x\n2,y\n"}
        path.write_bytes(made[form])
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content)
    answer = read(path)
    assert answer.event["event"] == "result" or answer.refusal
