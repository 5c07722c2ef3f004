"""The labels that stand beside the samples, as a metric needs them. Worker side.

`labels.json` says in `truth` what a label is: "class", an index; "value", a number; "text"; "boxes", a list of
[left, top, right, bottom, class, crowd] in pixels of the model's input; "array", whose arrays are "y" of `labels.npz`,
[N, ...], one row per sample. A label that is null is not known: that sample does not count.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from ...arrays.npz import members


@dataclass(frozen=True)
class Truth:
    """`rows`: the numbers of the samples that have a label, rising; everything else is per such sample."""

    kind: str
    labels: list[Any]
    count: int
    rows: NDArray[np.intp]
    names: list[str]
    folder: Path
    input_size: tuple[int, int] | None = None  # height, width of the model's input, for boxes

    def classes(self) -> NDArray[np.int64]:
        """[n] class indices. Raises Refused where the labels are something else."""
        if self.kind != "class":
            raise self._other("a class each")
        return np.array(self.labels, np.int64)

    def numbers(self) -> NDArray[np.float64]:
        """[n, ...]: values, arrays, or class numbers taken for values."""
        if self.kind in ("class", "value"):
            return np.array(self.labels, np.float64)
        return self.array().astype(np.float64)

    def array(self) -> NDArray[Any]:
        """[n, ...]"""
        if self.kind != "array":
            raise self._other("an array each")
        with np.load(self.folder / "labels.npz", allow_pickle=False) as stored:
            return np.asarray(stored["y"])[self.rows]

    def texts(self) -> list[str]:
        """Texts; of labels that are classes with names, the names."""
        if self.kind == "text":
            return [str(each) for each in self.labels]
        if self.kind == "class" and self.names:
            return [self.names[each] for each in self.labels]
        raise self._other("a text each")

    def boxes(self) -> list[list[list[float]]]:
        if self.kind != "boxes":
            raise self._other("boxes each")
        return self.labels

    def _other(self, wanted: str) -> Refused:
        said = {"class": "a class", "value": "a number", "array": "an array", "text": "a text", "boxes": "boxes"}
        return Refused(
            f"this metric needs samples with {wanted}, and they have {said.get(self.kind, self.kind)} each",
            hint="--metric chooses another one",
        )


def read_truth(folder: Path) -> Truth:
    """Raises Refused where no sample has a label."""
    given = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    labels = given["labels"]
    rows = [index for index, label in enumerate(labels) if label is not None]
    if not rows:
        raise Refused("no sample has a label")
    size = given.get("input_size")
    return Truth(
        kind=given.get("truth", "class"),
        labels=[labels[index] for index in rows],
        count=len(labels),
        rows=np.array(rows, np.intp),
        names=list(given.get("names") or ()),
        folder=folder,
        input_size=(size[0], size[1]) if size else None,
    )


@dataclass(frozen=True)
class Answers:
    """A model's outputs for the samples that have a label. `name` is the one that the metric looks at."""

    file: Path
    name: str
    shape: tuple[int, ...]  # of one sample
    dtype: np.dtype[Any]
    rows: NDArray[np.intp]

    def chunks(self) -> Any:
        """(positions among the labelled samples, their answers [n, *shape]) in order, some MB at a time."""
        member = members(self.file)[self.name]
        step, start, done = member.rows_per_chunk(), 0, 0
        for chunk in member.chunks(step):
            inside = self.rows[(self.rows >= start) & (self.rows < start + len(chunk))] - start
            if len(inside):
                yield np.arange(done, done + len(inside)), chunk[inside]
            done, start = done + len(inside), start + len(chunk)

    def whole(self) -> NDArray[Any]:
        """[n, *shape]"""
        return np.concatenate([chunk for _, chunk in self.chunks()])

    def numbers(self) -> NDArray[np.float64]:
        """[n, *shape] of finite numbers. Raises Refused where some are none."""
        found = self.whole().astype(np.float64)
        good = int(np.isfinite(found.reshape(len(found), -1)).all(axis=1).sum())
        if good < len(found):
            raise Refused(f"{self.name} holds NaN or infinities for {len(found) - good} of {len(found)} samples")
        return found

    def other(self, name: str) -> Answers:
        return read_answers(self.file, name, self.rows, None)


def output_names(file: Path) -> dict[str, tuple[int, ...]]:
    """Output -> shape of one sample."""
    return {name: member.shape[1:] for name, member in sorted(members(file).items())}


def read_answers(file: Path, output: str | None, rows: NDArray[np.intp], count: int | None) -> Answers:
    """Raises Refused where there is no such output, or it holds another number of samples than `count`."""
    found = members(file)
    name = output or min(found, default="")
    if name not in found:
        raise Refused(f"{file.name} has no output {name!r}", hint=f"it has: {', '.join(sorted(found))}")
    member = found[name]
    if count is not None and member.shape[0] != count:
        raise Refused(f"{count} labels, but {member.shape[0]} samples in {name}")
    return Answers(file, name, member.shape[1:], member.dtype, rows)
