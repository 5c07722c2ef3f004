"""What names look like, and how to say so to whoever wrote another."""

from __future__ import annotations

JOB_ID = r"^job-[0-9a-f]{16}$"
TASK_ID = r"^task-[0-9a-f]{16}$"
DIGEST = r"^[0-9a-f]{64}$"
_SAID = {
    JOB_ID: "no job is called so: an id is job- and 16 of 0-9 and a-f",
    TASK_ID: "no task is called so",
    DIGEST: "this is no SHA-256: 64 of 0-9 and a-f",
}


def said(pattern: str) -> str | None:
    """None where the pattern itself has to do."""
    return _SAID.get(pattern)
