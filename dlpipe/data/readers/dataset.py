"""What a reader found, and how it is written down. Worker side."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .labels import Labels
from .stream import Array, write_npz


@dataclass(frozen=True)
class Dataset:
    """`count` samples: arrays (kind "tensor"), files (kind "wav"), or files and arrays (kind "image").

    `check` is called with a file before it is copied, and with the name to give in an error.
    """

    kind: str
    count: int
    arrays: Mapping[str, Array] = field(default_factory=dict)
    files: Sequence[Path] = ()
    items: Sequence[str] = ()
    labels: Labels = field(default_factory=Labels)
    notes: Sequence[str] = ()
    check: Callable[[Path, str], None] | None = None


def write(found: Dataset, chosen: Sequence[int], out: Path, progress: Callable[[str, float], None]) -> int:
    """Write the chosen samples. Returns how many of them have a label."""
    if found.arrays:
        write_npz(out / "samples.npz", found.arrays, chosen)
    items = [found.items[index] for index in chosen] if found.items else [f"sample {index}" for index in chosen]
    if found.files:
        (out / "items").mkdir()
    for number, index in enumerate(chosen if found.files else ()):
        if number % 256 == 0:
            progress("reading the data", number / len(chosen))
        source = found.files[index]
        if found.check is not None:
            found.check(source, found.items[index])
        target = out / "items" / f"{number:06}{source.suffix.lower()}"
        shutil.copyfile(source, target)
    given = found.labels
    labels = [given.labels[index] if given.labels else None for index in chosen]
    content: dict[str, Any] = {"kind": found.kind, "labels": labels, "names": given.names, "items": items}
    if given.truth != "class":
        content["truth"] = given.truth
    if given.size is not None:
        content["input_size"] = list(given.size)
    if given.mask_sizes is not None:
        content["mask_sizes"] = [given.mask_sizes[index] for index in chosen]
    if given.array is not None:
        y = given.array
        write_npz(out / "labels.npz", {"y": Array(len(y), y.shape[1:], y.dtype, lambda: iter([y]))}, chosen)
    (out / "labels.json").write_text(json.dumps(content, ensure_ascii=False, sort_keys=True), encoding="utf-8")
    return sum(label is not None for label in labels)
