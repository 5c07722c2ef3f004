"""Folders with one sub-folder per class, and what lies in them. Worker side."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dlpipe_worker import Refused

from .dataset import Dataset
from .labels import Labels


def by_class(folder: Path, kind: str, suffixes: tuple[str, ...], check: Callable[[Path, str], None]) -> Dataset:
    """All files with one of the suffixes, sorted by name. The first folder below `folder` is the class; files that
    lie directly in it have none. Anything else (a licence, a list) is left alone."""
    found = sorted(
        (path.relative_to(folder).as_posix(), path)
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not found:
        raise Refused(f"no {' or '.join(suffixes)} file in the folder")
    classes = [name.split("/")[0] if "/" in name else None for name, _ in found]
    names = sorted({each for each in classes if each is not None})
    number = {each: index for index, each in enumerate(names)}
    return Dataset(
        kind=kind,
        count=len(found),
        files=[path for _, path in found],
        items=[name for name, _ in found],
        labels=Labels([None if each is None else number[each] for each in classes], names or None),
        check=check,
    )


def single(path: Path, kind: str, check: Callable[[Path, str], None]) -> Dataset:
    """One file, without a label."""
    return Dataset(kind=kind, count=1, files=[path], items=[path.name], check=check)
