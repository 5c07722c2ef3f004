"""Folders of samples, as dlpipe's own stages read and write them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def read(folder: Path) -> tuple[dict[str, Any], list[Any]]:
    """(name -> [N, *shape], labels; None where there are none)."""
    with np.load(folder / "samples.npz", allow_pickle=False) as archive:
        samples = {name: archive[name] for name in archive.files}
    file = folder / "labels.json"
    count = len(next(iter(samples.values())))
    labels = json.loads(file.read_text(encoding="utf-8"))["labels"] if file.exists() else [None] * count
    return samples, labels


def write(folder: Path, samples: Mapping[str, Any], labels: Sequence[Any]) -> None:
    np.savez(folder / "samples.npz", **samples)
    plain = [None if each is None else int(each) for each in labels]
    (folder / "labels.json").write_text(json.dumps({"labels": plain}) + "\n", encoding="utf-8")


def sample(samples: Mapping[str, Any], index: int) -> dict[str, Any]:
    return {name: np.ascontiguousarray(array[index]) for name, array in samples.items()}


def first_input(ir: Path) -> tuple[str, list[int]]:
    """Its name, and its shape with 1 for what is open."""
    port = json.loads((ir / "contract.json").read_text(encoding="utf-8"))["inputs"][0]
    return port["name"], [dim if isinstance(dim, int) and dim > 0 else 1 for dim in port["shape"]]
