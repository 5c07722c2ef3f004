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


def named(labels: Mapping[str, Any], model_labels: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Labels that are no classes, with the model's names beside them: what the tokens of a text are, or the classes of
    boxes, which are mapped to the model's. Boxes of classes that the model does not have are left out."""
    if not model_labels:
        return dict(labels), []
    found = {**labels, "names": list(model_labels)}
    if labels.get("truth") != "boxes" or not labels.get("names"):
        return found, []
    known, notes = map_labels({**labels, "labels": list(range(len(labels["names"])))}, model_labels)
    found["labels"] = [None if boxes is None else _renumbered(boxes, known) for boxes in labels["labels"]]
    return found, notes


def _renumbered(boxes: Sequence[Sequence[float]], known: Sequence[int | None]) -> list[list[float | None]]:
    """[left, top, right, bottom, class, crowd] each."""
    return [[*box[:4], known[int(box[4])], *box[5:]] for box in boxes if known[int(box[4])] is not None]


def _plain(name: str) -> str:
    return "".join(char for char in name.casefold() if char not in "_- ")
