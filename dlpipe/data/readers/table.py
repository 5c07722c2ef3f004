"""CSV: one sample a line, numbers as features, one column for the class. Worker side."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from dlpipe_worker import Refused
from numpy.typing import NDArray

from .dataset import Dataset
from .labels import Labels, from_array, from_names, from_texts
from .stream import Array
from .transcripts import TEXT

_CLASS = ("label", "labels", "class", "target", "y")


def read(path: Path) -> Dataset:
    """Features as float32 [N, columns]. A first line that is not all numbers is the header; the column called label,
    class, target or y holds the class, as a number or a name, or a real number; one called text, transcript, sentence,
    translation or reference holds a text. Without such a column there are no labels."""
    rows = _rows(path)
    if not rows:
        raise Refused(f"{path.name} has no lines")
    header = None if all(_is_number(cell) for cell in rows[0][1]) else [cell.strip().lower() for cell in rows[0][1]]
    body = rows[1:] if header else rows
    if not body:
        raise Refused(f"{path.name} has a header and no samples")
    column = next((header.index(name) for name in (*_CLASS, *TEXT) if name in header), None) if header else None
    x = np.array([_numbers(path, line, cells, column) for line, cells in body], dtype=np.float32)
    classes = [cells[column].strip() for _, cells in body] if column is not None else []
    array = Array(len(x), x.shape[1:], x.dtype, lambda: iter([x]))
    is_text = header is not None and column is not None and header[column] in TEXT
    return Dataset("tensor", len(x), {"x": array}, labels=from_texts(classes) if is_text else _labels(classes))


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line number and cells. All lines have equally many cells."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = "".join(islice(file, 5))
            file.seek(0)
            found = list(_cells(csv.reader(file, delimiter=_delimiter(sample))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path.name} is not a CSV file: {error}") from error
    width = len(found[0][1]) if found else 0
    for line, cells in found:
        if len(cells) != width:
            raise Refused(f"{path.name}, line {line}: {len(cells)} columns, and {width} in the first line")
    return found


def _cells(reader: Any) -> Iterator[tuple[int, list[str]]]:
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _delimiter(sample: str) -> str:
    return max(",;\t", key=sample.count)


def _numbers(path: Path, line: int, cells: list[str], skip: int | None) -> list[float]:
    values = []
    for index, cell in enumerate(cells):
        if index == skip:
            continue
        if not _is_number(cell):
            raise Refused(f"{path.name}, line {line}, column {index + 1}: {cell[:40]!r} is not a number")
        values.append(float(cell))
    return values


def _labels(classes: list[str]) -> Labels:
    if not classes or not all(_is_number(each) for each in classes):
        return from_names(classes) if classes else Labels()
    numbers: NDArray[np.float64] = np.array([float(each) for each in classes])
    return from_array(numbers)


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
