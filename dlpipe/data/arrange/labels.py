"""From the data set's classes to the model's: by name where both have names, else by number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def map_labels(labels: Mapping[str, Any], model_labels: Sequence[str]) -> tuple[list[int | None], list[str]]:
    """Returns the labels as indices into the model's classes (None: the model has no such class), and what the
    user should know. Names match without regard to case, `_`, `-` and spaces."""
    numbers: list[int | None] = list(labels.get("labels") or [])
    names = labels.get("names")
    if not names:
        return numbers, []
    if not model_labels:
        given = ", ".join(map(str, names[:12]))
        return numbers, [f"the model names no classes: the data's are counted in its own order ({given})"]
    known = {_plain(name): index for index, name in enumerate(model_labels)}
    mapping = [known.get(_plain(name)) for name in names]
    notes = []
    missing = [name for name, index in zip(names, mapping, strict=True) if index is None]
    if missing:
        notes.append(f"classes of the data that the model does not have, left out: {', '.join(missing)}")
    return [None if number is None else mapping[number] for number in numbers], notes


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in "_- ")
