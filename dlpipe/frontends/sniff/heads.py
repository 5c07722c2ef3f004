"""What a file's first bytes alone tell. Nothing is looked into, so it may be asked outside the jail."""

from __future__ import annotations

from pathlib import Path

from . import flat, schemas
from .foreign import by_head, core_ml
from .found import Found, unknown
from .magic import has_magic
from .texts import by_words, may_be_json

HEAD = 4096  # bytes


def told_by_head(path: Path, head: bytes) -> Found | None:
    """What the sniffer finds in the file, whose first HEAD bytes are `head`; None where it has to look into it."""
    if not head:
        return unknown("the file is empty")
    if has_magic(head):
        return None
    if found := by_head(path, head):
        return found
    if may_be_json(head):
        return None
    if found := by_words(head):
        return found
    if schemas.may_begin(head) or flat.may_begin(head, path.stat().st_size) or core_ml(head):
        return None
    return unknown("its first bytes are of no format that dlpipe takes")
