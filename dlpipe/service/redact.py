"""What a log or an error may not tell: where things lie on the server."""

from __future__ import annotations

import sys
from pathlib import Path


def redact(text: str, root: Path) -> str:
    """root: the service's data folder."""
    for path, name in ((root, "<data>"), (Path(sys.prefix), "<python>"), (Path.home(), "<home>")):
        text = text.replace(f"{path}/", f"{name}/")
    return text
