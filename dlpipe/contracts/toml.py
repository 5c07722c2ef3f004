"""TOML that may come from somebody else: the settings of a pull request, a recipe that is handed around."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

MAX_BYTES = 1 << 20
_MAX_DOTS = 50  # of a key: tomllib's time grows with their square, and one of 64 kB took 16 s


def read_toml(path: Path) -> dict[str, Any]:
    """Raises OSError, and ValueError for all that is wrong with the text."""
    with path.open("rb") as file:
        read = file.read(MAX_BYTES + 1)
    if len(read) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES} bytes")
    text = read.decode()
    for number, line in enumerate(text.split("\n"), 1):
        if line.partition("=")[0].count(".") > _MAX_DOTS:
            raise ValueError(f"line {number} has a key of more than {_MAX_DOTS} dots")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("lists or tables are nested too deep") from None
