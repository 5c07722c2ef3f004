"""The report that a bug leaves behind."""

from __future__ import annotations

import platform
import sys
import tempfile
import traceback
from pathlib import Path

from dlpipe import __version__


def write_crash_report(error: BaseException) -> Path:
    """A text file with versions, the command and the trace; no environment variables, no model data."""
    text = "\n".join(
        [
            f"dlpipe {__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: {' '.join(sys.argv)}",
            "",
            *traceback.format_exception(error),
        ]
    )
    with tempfile.NamedTemporaryFile(
        "w", errors="backslashreplace", prefix="dlpipe-crash-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    return Path(file.name)
