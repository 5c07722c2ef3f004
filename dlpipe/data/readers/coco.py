"""Boxes in COCO's JSON beside a folder of pictures. Worker side.

Source: the format's public description: images {id, file_name, width, height}, annotations {image_id, category_id,
bbox [left, top, width, height], iscrowd}, categories {id, name}.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dlpipe_worker import Refused

from .labels import Labels

_LARGEST = 1 << 30  # bytes of the JSON


@dataclass(frozen=True)
class Annotated:
    """`items`: the numbers of those pictures that the file names, and their boxes."""

    items: list[int]
    labels: Labels


def boxes_beside(folder: Path, items: Sequence[str]) -> Annotated | None:
    """None where no file in the folder is COCO's. A picture without boxes is one that has none.

    Raises Refused where several files could be meant, or the one there is damaged or names none of the pictures.
    """
    found = [(path, table) for path in sorted(folder.rglob("*.json")) if (table := _read(path)) is not None]
    if not found:
        return None
    if len(found) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path, _ in found)
        raise Refused(f"several files hold boxes: {names}", hint="leave the one that is meant in the folder")
    path, table = found[0]
    try:
        return _annotated(path.name, table, items)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise Refused(f"{path.name} is no whole COCO file: {type(error).__name__}: {error}") from error


def _read(path: Path) -> dict[str, Any] | None:
    if path.name.startswith(".") or not path.is_file() or path.stat().st_size > _LARGEST:
        return None
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, UnicodeDecodeError):
        return None
    return table if isinstance(table, dict) and {"images", "annotations"} <= table.keys() else None


def _annotated(name: str, table: dict[str, Any], items: Sequence[str]) -> Annotated:
    categories = sorted((int(each["id"]), str(each["name"])) for each in table.get("categories", []))
    ids = [number for number, _ in categories] or sorted({int(each["category_id"]) for each in table["annotations"]})
    index = {number: place for place, number in enumerate(ids)}
    pictures = _by_name(table["images"], items)
    if not pictures:
        raise Refused(f"{name} names none of the pictures, the first of which is {items[0]}")
    places = {int(each["id"]): number for number, each in pictures.items()}
    boxes: dict[int, list[list[float]]] = {number: [] for number in pictures}
    for each in table["annotations"]:
        number = places.get(int(each["image_id"]))
        if number is None:
            continue
        left, top, width, height = map(float, each["bbox"])
        if not all(map(math.isfinite, (left, top, width, height))):
            raise ValueError(f"bbox {each['bbox']}")
        crowd = int(bool(each.get("iscrowd", 0)))
        boxes[number].append([left, top, left + width, top + height, index[int(each["category_id"])], crowd])
    sizes = {(int(each["height"]), int(each["width"])) for each in pictures.values()}
    names = [text for _, text in categories] or None
    kept = sorted(pictures)
    labels = Labels(
        [boxes[number] for number in kept], names, truth="boxes", size=sizes.pop() if len(sizes) == 1 else None
    )
    return Annotated(kept, labels)


def _by_name(images: Sequence[dict[str, Any]], items: Sequence[str]) -> dict[int, dict[str, Any]]:
    """Number of the picture -> its entry: by the whole path, else by the file's name where only one has it."""
    entries = {str(each["file_name"]): each for each in images}
    bare: dict[str, list[dict[str, Any]]] = {}
    for each in images:
        bare.setdefault(PurePosixPath(str(each["file_name"])).name, []).append(each)
    found = {}
    for number, item in enumerate(items):
        near = bare.get(PurePosixPath(item).name, [])
        entry = entries.get(item) or (near[0] if len(near) == 1 else None)
        if entry is not None:
            found[number] = entry
    return found
