"""What one core of this machine does at most. In a folder of its own: what else `measure/` holds does not change it."""

from __future__ import annotations

from pathlib import Path

from dlpipe.contracts.call import Call

_WORKER = Path(__file__).with_name("worker.py")


def limits_call(machine: str) -> Call:
    """Value: see `program.py`. machine: the digest of its fingerprint."""
    return Call("core", _WORKER, "limits", {"machine": machine}, stage_class="hardware")
