"""The training data: arrays that are mapped, not read, and in which order they are seen."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused

from ..arrays import npz
from ..torch_module.network import Port

_LOOKED = 256  # samples at once
_HELD_OUT = 5000  # samples at most: enough to tell half a point


@dataclass(frozen=True, slots=True)
class Data:
    """`feeds`: [N, *shape] for each input. `labels`: int64 [N], -1 where there is none, or float32 [N, ...]; None where
    there are none at all. `train` and `held_out` are numbers of samples."""

    feeds: dict[str, Any]
    labels: Any
    train: Any
    held_out: Any

    def batch(self, chosen: Any) -> tuple[dict[str, Any], Any]:
        order = np.sort(chosen)  # a mapped file is read forwards; within a batch the order has no meaning
        feeds = {name: np.ascontiguousarray(array[order]) for name, array in self.feeds.items()}
        return feeds, None if self.labels is None else self.labels[order]


def read(folder: Path, ports: Sequence[Port], *, holdout: float, seed: int) -> Data:
    """Raises Refused where the folder's samples do not fit the model's inputs, or are too few."""
    inputs = [port.name for port in ports]
    arrays = renamed({name: each.mapped() for name, each in npz.members(folder / "samples.npz").items()}, inputs)
    missing = [name for name in inputs if name not in arrays]
    if missing:
        raise Refused(f"the training data hold {sorted(arrays)}, and the model wants {missing} too")
    feeds = {port.name: _fitting(port, arrays[port.name]) for port in ports}
    for name, array in feeds.items():
        _refuse_nan(name, array, folder)
    counts = {name: len(array) for name, array in feeds.items()}
    if len(set(counts.values())) != 1 or not min(counts.values()):
        raise Refused(f"the training data hold no samples, or another number for each input: {counts}")
    count = min(counts.values())
    order = np.random.default_rng([seed, 0]).permutation(count)
    held = min(round(count * holdout), _HELD_OUT, count - 1)
    return Data(feeds, _labels(folder, count), np.sort(order[held:]), np.sort(order[:held]))


def _refuse_nan(name: str, array: Any, folder: Path) -> None:
    """A portion at a time: a mapped file is not read whole."""
    if array.dtype.kind != "f":
        return
    for place in range(0, len(array), _LOOKED):
        part = array[place : place + _LOOKED]
        bad = np.isnan(part.reshape(len(part), -1)).any(axis=1)
        if bad.any():
            number = place + int(bad.argmax())
            labels = folder / "labels.json"
            items = json.loads(labels.read_text(encoding="utf-8")).get("items") if labels.is_file() else None
            raise Refused(
                f"{items[number] if items else f'sample {number}'} is not a number (NaN) in {name!r}",
                hint="leave it out of the training data, or mend it",
            )


def renamed(arrays: dict[str, Any], inputs: list[str]) -> dict[str, Any]:
    """Where there is one array and one input, they belong together, whatever they are called: a student of the user's
    own need not have the original's names."""
    return dict(zip(inputs, arrays.values(), strict=True)) if len(arrays) == len(inputs) == 1 else arrays


def _fitting(port: Port, array: Any) -> Any:
    """[N, *shape] as it is fed. A float of another width is taken for what it stands for."""
    sizes = array.shape[1:]
    if port.shape is not None and (
        len(sizes) != len(port.shape)
        or any(size not in (None, given) for size, given in zip(port.shape, sizes, strict=True))
    ):
        wanted = ", ".join("any" if size is None else str(size) for size in port.shape)
        raise Refused(f"the samples of {port.name!r} have the shape {list(sizes)}, and the model takes [{wanted}]")
    if array.dtype == port.dtype:
        return array
    if array.dtype.kind != np.dtype(port.dtype).kind:
        raise Refused(f"the samples of {port.name!r} are {array.dtype}, and the model takes {np.dtype(port.dtype)}")
    return array.astype(port.dtype)


def batches(data: Data, size: int, seed: int, start: int) -> Iterator[Any]:
    """Numbers of samples, batch after batch without end, each epoch in an order of its own; from batch `start` on. What
    is left over at the end of an epoch is not used in it."""
    size = min(size, len(data.train))
    each = len(data.train) // size
    step = start
    while True:
        order = np.random.default_rng([seed, 1 + step // each]).permutation(data.train)
        for place in range(step % each, each):
            yield order[place * size : (place + 1) * size]
            step += 1


def per_epoch(data: Data, size: int) -> int:
    return len(data.train) // min(size, len(data.train))


def _labels(folder: Path, count: int) -> Any:
    path = folder / "labels.json"
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    given = found.get("labels") if found.get("truth", "class") in ("class", "value") else None
    if not given or all(each is None for each in given):
        return None
    if len(given) != count:
        raise Refused(f"the training data hold {count} samples and {len(given)} labels")
    if all(each is None or isinstance(each, int) for each in given):
        return np.array([-1 if each is None else each for each in given], np.int64)
    if any(each is None for each in given):
        raise Refused("some samples have numbers for labels, and some have none")
    return np.array(given, np.float32)
