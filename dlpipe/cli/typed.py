"""The command line as its user typed it, for the report: it can be pasted."""

from __future__ import annotations

import shlex
import sys


def command() -> str:
    return shlex.join(["dlpipe", *sys.argv[1:]])
