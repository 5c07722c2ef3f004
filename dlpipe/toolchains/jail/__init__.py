"""The jail: one worker process with no network, no credentials, read-only inputs and bounded resources.

- `cell.py` what a jailed process sees; `system.py` the part of the machine that every cell shows
- `bubblewrap.py`, `namespaces.py`, `plain.py`: three ways to make one; `detect.py` finds which work here
- `launch.py` the program that sets a cell up where bubblewrap is not there; `prisoner.py` one running process
- `tree.py` what a process tree uses; `shims.py` the fake `pip`, `curl` ... that report instead of reaching out
  (`runtime/network_watch.py` reports what needs no program)
"""

from dlpipe.toolchains.jail.cell import Cell
from dlpipe.toolchains.jail.detect import describe, detect
from dlpipe.toolchains.jail.kind import JailKind
from dlpipe.toolchains.jail.prisoner import Prisoner

__all__ = ["Cell", "JailKind", "Prisoner", "describe", "detect"]
