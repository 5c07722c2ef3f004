"""NumPy files: .npz with x and y (or with an array per model input), .npy with a y.npy beside it. Worker side."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import IO

from dlpipe_worker import Refused

from .dataset import Dataset
from .labels import Labels, from_array
from .stream import Array, Content, damage, npy_array

# Names that data sets in .npz use, the best first; the test part where there are several parts.
_X = ("x", "X", "x_test", "X_test", "images", "data", "arr_0", "x_train")
_Y = ("y", "Y", "y_test", "Y_test", "labels", "label", "targets", "arr_1", "y_train")


def read(path: Path) -> Dataset:
    arrays = _npy(path) if _is_npy(path) else _npz(path)
    features, y = _split(arrays)
    counts = {name: array.count for name, array in {**features, **({"y": y} if y else {})}.items()}
    if not features or len(set(counts.values())) != 1 or 0 in counts.values():
        raise Refused(f"{path.name}: the arrays hold different numbers of samples, or none: {counts}")
    bad = [name for name, array in features.items() if array.dtype.kind not in "biuf"]
    if bad:
        raise Refused(f"{path.name}: {bad[0]} holds {features[bad[0]].dtype}, not numbers")
    labels = from_array(y.whole()) if y else Labels()
    return Dataset(
        kind="tensor",
        count=next(iter(counts.values())),
        arrays=features,
        labels=labels,
    )


def _is_npy(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(6) == b"\x93NUMPY"


def _npy(path: Path) -> dict[str, Array]:
    """The file, and the labels beside it, if there are any: the only other .npy in the input."""
    found = {"x": npy_array(_content(path))}
    others = [other for other in sorted(path.parent.glob("*.npy")) if other != path]
    if len(others) == 1:
        found["y"] = npy_array(_content(others[0]))
    return found


def _content(path: Path) -> Content:
    return Content(path.name, lambda: path.open("rb"), path.stat().st_size)


def _npz(path: Path) -> dict[str, Array]:
    def opened(entry: str) -> IO[bytes]:
        return zipfile.ZipFile(path).open(entry)

    with damage(path.name), zipfile.ZipFile(path) as archive:
        entries = {info.filename: info.file_size for info in archive.infolist() if info.filename.endswith(".npy")}
    if not entries or len(entries) > 1000:
        raise Refused(f"{path.name} holds {len(entries)} arrays")
    return {
        name.removesuffix(".npy"): npy_array(Content(f"{path.name}:{name}", partial(opened, name), size))
        for name, size in entries.items()
    }


def _split(arrays: Mapping[str, Array]) -> tuple[dict[str, Array], Array | None]:
    """The features by name ("x" where the names are a data set's, not a model's), and the targets."""
    x = next((name for name in _X if name in arrays), None)
    y = next((name for name in _Y if name in arrays and name != x), None)
    targets = arrays[y] if y else None
    if x is not None and len(arrays) <= (4 if x.endswith(("_test", "_train")) else 2 if y else 1):
        return {"x": arrays[x]}, targets
    return {name: array for name, array in arrays.items() if name != y}, targets
