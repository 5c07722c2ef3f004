"""Parts of a data set share no sample, and belong together with the outputs for them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlpipe.data import part_call
from dlpipe.errors import DlpipeError


def folder(place: Path, name: str, count: int, *, labels: bool = True) -> Path:
    place.mkdir()
    np.savez(place / name, x=np.arange(count, dtype=np.float32).reshape(count, 1))
    if labels:
        (place / "labels.json").write_text(json.dumps({"labels": list(range(count)), "names": None}))
    return place


def taken(bench: Any, data: Path, start: float, end: float, **more: Any) -> list[int]:
    value, out = bench.run(part_call(start, end, 7, **more), data=data)
    file = next(out.glob("*.npz"))
    with np.load(file) as archive:
        found: list[int] = archive["x"][:, 0].astype(int).tolist()
    assert value["count"] == len(found)
    if (out / "labels.json").is_file():
        assert json.loads((out / "labels.json").read_text())["labels"] == found
        assert value["labelled"] == len(found)
    return found


@pytest.mark.parametrize("count", [3, 10, 667])
def test_parts_are_disjoint_whole_and_in_order(bench: Any, tmp_path: Path, count: int) -> None:
    data = folder(tmp_path / "data", "samples.npz", count)
    parts = [taken(bench, data, start, end) for start, end in ((0.0, 0.4), (0.4, 0.7), (0.7, 1.0))]
    assert sorted(each for part in parts for each in part) == list(range(count))
    assert all(part == sorted(part) for part in parts)
    assert count < 10 or parts[0] != list(range(len(parts[0])))


def test_the_same_numbers_choose_the_same_of_samples_and_outputs(bench: Any, tmp_path: Path) -> None:
    samples = folder(tmp_path / "samples", "samples.npz", 50)
    outputs = folder(tmp_path / "outputs", "outputs.npz", 50, labels=False)
    assert taken(bench, samples, 0.3, 1.0, limit=20) == taken(bench, outputs, 0.3, 1.0, limit=20)


def test_too_few_samples_to_divide_are_told(bench: Any, tmp_path: Path) -> None:
    data = folder(tmp_path / "data", "samples.npz", 1)
    with pytest.raises(DlpipeError, match="1 samples are too few"):
        taken(bench, data, 0.0, 0.5)


def test_an_array_may_have_any_name(bench: Any, tmp_path: Path) -> None:
    """numpy.savez takes none that is called as one of its own parameters."""
    data = tmp_path / "data"
    data.mkdir()
    with zipfile.ZipFile(data / "samples.npz", "w") as archive, archive.open("file.npy", "w") as file:
        np.lib.format.write_array(file, np.arange(4, dtype=np.float32))
    _, out = bench.run(part_call(0.0, 1.0, 7), data=data)
    with np.load(out / "samples.npz") as archive:
        assert archive["file"].tolist() == [0, 1, 2, 3]
