"""Texts that stand in a table beside the files they belong to: a column with the file, a column with the text. Worker
side."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from dlpipe_worker import Refused

from .labels import Labels

TEXT = ("text", "transcript", "transcription", "sentence", "translation", "reference")
_FILE = ("file", "path", "filename", "file_name", "audio", "clip", "wav", "name", "id")


def transcripts(folder: Path, items: Sequence[str]) -> Labels | None:
    """One text per item, None for an item that the table does not name; None where there is no such table.

    Raises Refused where several tables could be meant, or the one there is names none of the items.
    """
    tables = [(path, found) for path in _tables(folder) if (found := _read(path)) is not None]
    if not tables:
        return None
    if len(tables) > 1:
        both = ", ".join(path.name for path, _ in tables)
        raise Refused(f"several tables hold texts: {both}", hint="leave the one that is meant in the folder")
    path, texts = tables[0]
    said = [texts.get(item) or texts.get(_bare(item)) for item in items]
    if all(each is None for each in said):
        raise Refused(f"{path.name} names none of the files, the first of which is {items[0]}")
    return Labels(said, truth="text")


def _tables(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".tsv") and path.is_file())


def _read(path: Path) -> dict[str, str] | None:
    """File, with and without its folder and ending, -> text."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = list(csv.DictReader(file, delimiter=max(",;\t|", key=head.count)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Refused(f"{path.name} is not a CSV file: {error}") from error
    columns = {(name or "").strip().lower(): name for name in (rows[0] if rows else {})}
    named = next((columns[each] for each in _FILE if each in columns), None)
    said = next((columns[each] for each in TEXT if each in columns), None)
    if named is None or said is None:
        return None
    texts: dict[str, str] = {}
    for row in rows:
        name, text = (row[named] or "").strip(), (row[said] or "").strip()
        texts |= {name: text, _bare(name): text}
    return texts


def _bare(name: str) -> str:
    return PurePosixPath(name).stem
