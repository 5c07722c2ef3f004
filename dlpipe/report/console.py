"""How text is printed: like rich's own console, except that a reader who goes away changes no exit code."""

from __future__ import annotations

import os
import sys

from rich.console import Console


class PlainConsole(Console):
    """`dlpipe ... | head -1`: what is left is printed to nowhere, and the command ends as it would have."""

    def on_broken_pipe(self) -> None:
        """rich's own raises SystemExit(1), which would hide whether a gate failed."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
